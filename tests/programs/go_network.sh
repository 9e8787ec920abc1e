#!/bin/bash
# Go: a server and clients in goroutines, and programs that they start.
set -eu
. "${BASH_SOURCE[0]%/*}/lib/needs.sh" go
cat > main.go << 'END'
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"sync"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := exec.Command("echo", r.URL.Path).Output()
		if err != nil {
			panic(err)
		}
		w.Write(out)
	}))
	var all sync.WaitGroup
	for i := 0; i < 40; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			response, err := http.Get(fmt.Sprintf("http://%s/%d", listener.Addr(), i))
			if err != nil {
				panic(err)
			}
			body, _ := io.ReadAll(response.Body)
			if string(body) != fmt.Sprintf("/%d\n", i) {
				panic(string(body))
			}
		}(i)
	}
	all.Wait()
	fmt.Println("pass")
}
END
HOME=$PWD GOCACHE=$PWD/cache GO111MODULE=off go build -o server main.go; ./server

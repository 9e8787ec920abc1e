// A static Go program, which makes its own system calls: goroutines, files, children, signals, timers.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func check(good bool, what ...interface{}) {
	if !good {
		fmt.Fprintln(os.Stderr, what...)
		os.Exit(1)
	}
}

func main() {
	uid, _ := strconv.Atoi(os.Getenv("GUEST_UID"))
	check(os.Getuid() == uid, "uid", os.Getuid(), "instead of", uid)
	if len(os.Args) > 1 {
		fmt.Print("child ", os.Args[1])
		return
	}
	var group sync.WaitGroup
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			name := fmt.Sprintf("file%d", i)
			check(os.WriteFile(name, make([]byte, i), 0644) == nil, "write", name)
			for j := 0; j < 100; j++ {
				status, err := os.Stat(name)
				check(err == nil && status.Size() == int64(i), "stat", name, err)
				check(syscall.Getuid() == uid, "uid in a goroutine")
			}
			_, err := os.Stat("no such file")
			check(os.IsNotExist(err), err)
		}(i)
	}
	group.Wait()
	for i := 0; i < 5; i++ {
		out, err := exec.Command(os.Args[0], strconv.Itoa(i)).Output()
		check(err == nil && string(out) == "child "+strconv.Itoa(i), string(out), err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	for i := 0; i < 20; i++ {
		check(syscall.Kill(os.Getpid(), syscall.SIGUSR1) == nil, "kill")
		select {
		case <-signals:
		case <-time.After(time.Minute):
			check(false, "no signal came")
		}
	}
	fmt.Println("pass")
}

#!/bin/sh
echo script $0

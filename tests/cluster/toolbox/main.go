// What the cluster's tests do from inside a pod: serve, get, look a name up, write and read files. One static program, no shell.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	command, arguments := os.Args[1], os.Args[2:]
	if err := run(command, arguments); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(command string, arguments []string) error {
	switch command {
	case "serve":
		fmt.Println("serving")
		return http.ListenAndServe(":8080", http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(answer, strings.Join(arguments, " "))
		}))
	case "get":
		client := http.Client{Timeout: 3 * time.Second}
		answer, err := client.Get(arguments[0])
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		_, err = io.Copy(os.Stdout, answer.Body)
		return err
	case "lookup":
		addresses, err := net.LookupHost(arguments[0])
		fmt.Println(strings.Join(addresses, " "))
		return err
	case "write":
		return os.WriteFile(arguments[0], []byte(arguments[1]), 0o600)
	case "read":
		content, err := os.ReadFile(arguments[0])
		fmt.Print(string(content))
		return err
	}
	return fmt.Errorf("unknown command %q", command)
}

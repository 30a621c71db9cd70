// A go-libp2p node that a test drives over standard input and output; see ../../README.md.
package main

import "os"

func main() {
	if len(os.Args) > 1 && os.Args[1] == "bench" {
		w := &worker{}
		serve(os.Stdin, w.handle)
		w.stop()
		return
	}
	n := newNode()
	serve(os.Stdin, n.handle)
	n.stop()
}

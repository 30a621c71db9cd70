// A go-libp2p node that a test drives over standard input and output; see ../../README.md.
package main

import "os"

func main() {
	n := newNode()
	serve(os.Stdin, n.handle)
	n.stop()
}

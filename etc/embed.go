// Package etc holds what is installed beside the program, and carries its
// template resources and templates inside the binary, so that the binary alone
// is a working sidecar.
package etc

import "embed"

// Confd is the built-in configuration folder: conf.d and templates, as below
// /etc/confd. Its root is "confd".
//
//go:embed confd
var Confd embed.FS

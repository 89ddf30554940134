// Package apiserver has no code. Its module pins the Kubernetes API server, and the etcd
// below it, that tests run: `make kube-apiserver` builds them. They have a module of
// their own so that the program does not depend on what they are made of.
package apiserver

// nfpm: not newer than v2.47.0, since newer ones write rpms with a module that the proxy does not serve.
// Its tests have another such: go mod tidy takes -e.
module confd/internal/packaging

go 1.26.4

require github.com/spf13/cobra v1.10.2

require (
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
)

// Command confd keeps BIRD's configuration true to what a Calico cluster says.
//
// Without a subcommand it runs until SIGTERM, as a sidecar next to BIRD. See
// docs/ for its uses, and confd --help for its settings.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"confd/internal/settings"
	"confd/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once, whatever it waits for.
	context.AfterFunc(ctx, stop)
	usual := collectLate() // most commands soon end
	code := program{
		about:  version.Read(),
		around: settings.Surroundings{LookupEnv: os.LookupEnv, Hostname: os.Hostname},
		stdin:  os.Stdin,
		stdout: os.Stdout,
		stderr: os.Stderr,
		run: func(ctx context.Context, s settings.Settings) error {
			if !s.OneTime && !s.Noop {
				usual()
			}
			return run(ctx, s)
		},
		render: render,
	}.execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

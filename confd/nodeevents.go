package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"confd/backends/kubernetes"
	"confd/internal/nodeevents"
	"confd/internal/report"
	"confd/internal/settings"
)

// eventTeller tells Kubernetes of what the reports say; nil where nobody wants that.
func eventTeller(s settings.Settings, log *slog.Logger) (func(context.Context, func() *report.Report), error) {
	if !s.Watch.NodeEvents {
		return nil, nil
	}
	if s.Datastore != settings.DatastoreKubernetes && !apiInReach(s.Kubernetes) {
		return nil, errors.New("--node-events: there is no API server to tell: set KUBECONFIG or K8S_API_ENDPOINT, or leave it out")
	}
	w, err := kubernetes.NewWriter(apiServer(s))
	if err != nil {
		return nil, fmt.Errorf("--node-events: %w", err)
	}
	send := func(ctx context.Context, e nodeevents.Event) error {
		return w.Event(ctx, kubernetes.NodeEvent{Node: s.NodeRef, Warning: true, Reason: e.Reason, Text: e.Text, At: time.Now()})
	}
	return func(ctx context.Context, newest func() *report.Report) {
		defer w.Close()
		(&nodeevents.Watcher{Newest: newest, Send: send, Log: log}).Run(ctx)
	}, nil
}

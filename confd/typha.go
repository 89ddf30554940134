package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"confd/backends/kubernetes"
	"confd/backends/typha"
	"confd/internal/inbox"
	"confd/internal/settings"
	"confd/internal/version"
)

// typhaPort is the name of the port of Typha's Service that clients use.
const typhaPort = "calico-typha"

// newTypha makes the backend that reads through Typha, and those for what it does
// not carry: FelixConfigurations, which stay in the datastore, and what only the
// API server has.
func newTypha(s settings.Settings, log *slog.Logger) ([]inbox.Source, error) {
	var beside []inbox.Source
	if s.Datastore == settings.DatastoreEtcd && s.Etcd.InUse() {
		b, err := newEtcd(s, felixAlone, log)
		if err != nil {
			return nil, err
		}
		beside = append(beside, inbox.Source{Name: "etcd", Backend: b})
	}
	api, err := typhaAPI(s, log)
	if err != nil {
		return nil, err
	}
	if api != nil {
		beside = append(beside, inbox.Source{Name: "kubernetes", Backend: api})
	}
	find, err := findTypha(s, api)
	if err != nil {
		return nil, err
	}
	t := s.Typha
	b, err := typha.New(typha.Config{
		Find: find, KeyFile: t.KeyFile, CertFile: t.CertFile, CAFile: t.CAFile, CN: t.CN, URISAN: t.URISAN,
		ReadTimeout: t.ReadTimeout, WriteTimeout: t.WriteTimeout,
		Node: s.Node, AllNodes: s.AllNodes, Version: version.Read().Version, Logger: log,
	})
	return append([]inbox.Source{{Name: "typha", Backend: b}}, beside...), err
}

// typhaAPI is the API server beside Typha; nil: there is none.
func typhaAPI(s settings.Settings, log *slog.Logger) (*kubernetes.Backend, error) {
	switch {
	case s.Datastore == settings.DatastoreKubernetes:
		return newKubernetes(s, felixAlone, log)
	case apiInReach(s.Kubernetes):
		return newKubernetes(s, nothing, log)
	}
	return nil, nil
}

// findTypha is how Typha's servers are found: at an address, or as the endpoints of
// a Service.
func findTypha(s settings.Settings, api *kubernetes.Backend) (func(context.Context) ([]typha.Endpoint, error), error) {
	t := s.Typha
	if t.Addr != "" {
		return typha.Fixed(t.Addr)
	}
	if api == nil {
		return nil, errors.New("TYPHAK8SSERVICENAME names a Service, but there is no API server to ask where it is: set KUBECONFIG or K8S_API_ENDPOINT, or give TYPHAADDR instead")
	}
	namespace := cmp.Or(t.Namespace, "kube-system")
	return func(ctx context.Context) ([]typha.Endpoint, error) {
		found, err := api.Endpoints(ctx, namespace, t.Service, typhaPort)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("%w: Service %s/%s has no ready endpoint with a port of the name %s", typha.ErrNoneReady, namespace, t.Service, typhaPort)
		}
		var list []typha.Endpoint
		for _, e := range found {
			list = append(list, typha.Endpoint{Address: e.Address, Local: e.Node != "" && e.Node == s.NodeRef})
		}
		return list, err
	}, nil
}

package kubernetes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
)

// serviceLabel names the Service that an EndpointSlice is of.
const serviceLabel = "kubernetes.io/service-name"

// ServiceEndpoint is where a Service can be reached.
type ServiceEndpoint struct {
	Address string // HOST:PORT
	Node    string // that it is on; empty: not known
}

// endpointSlice is what matters here of an EndpointSlice.
type endpointSlice struct {
	Ports []struct {
		Name string `json:"name"`
		Port uint16 `json:"port"`
	} `json:"ports"`
	Endpoints []struct {
		Addresses  []string `json:"addresses"`
		NodeName   string   `json:"nodeName"`
		Conditions struct {
			Ready *bool `json:"ready"` // nil: it is
		} `json:"conditions"`
	} `json:"endpoints"`
}

// Endpoints asks the API server for the endpoints of a Service that are ready, at
// its port of that name; each is there once. It may be called at any time.
func (b *Backend) Endpoints(ctx context.Context, namespace, service, port string) ([]ServiceEndpoint, error) {
	var all []ServiceEndpoint
	err := b.eachSlice(ctx, namespace, service, func(s endpointSlice) {
		for _, p := range s.Ports {
			if p.Name == port && p.Port != 0 {
				all = append(all, s.ready(p.Port)...)
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("%s: EndpointSlices of Service %s/%s: %w", b.client.where(), namespace, service, err)
	}
	slices.SortFunc(all, func(a, b ServiceEndpoint) int { return cmp.Compare(a.Address, b.Address) })
	return slices.CompactFunc(all, func(a, b ServiceEndpoint) bool { return a.Address == b.Address }), nil
}

// ready are the endpoints that are ready. Of an endpoint's addresses the first
// counts, as everywhere.
func (s endpointSlice) ready(port uint16) []ServiceEndpoint {
	var all []ServiceEndpoint
	for _, e := range s.Endpoints {
		if len(e.Addresses) == 0 || e.Conditions.Ready != nil && !*e.Conditions.Ready {
			continue
		}
		all = append(all, ServiceEndpoint{Address: net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(port))), Node: e.NodeName})
	}
	return all
}

// eachSlice reads a Service's EndpointSlices, page by page.
func (b *Backend) eachSlice(ctx context.Context, namespace, service string, each func(endpointSlice)) error {
	query := url.Values{}
	query.Set("labelSelector", serviceLabel+"="+service)
	query.Set("limit", strconv.Itoa(pageSize))
	for {
		next, err := b.slicesPage(ctx, namespace, query, each)
		if err != nil || next == "" {
			return err
		}
		query.Set("continue", next)
	}
}

func (b *Backend) slicesPage(ctx context.Context, namespace string, query url.Values, each func(endpointSlice)) (next string, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := b.client.get(ctx, "/apis/discovery.k8s.io/v1/namespaces/"+url.PathEscape(namespace)+"/endpointslices", query, "application/json")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var list struct {
		Metadata listMeta        `json:"metadata"`
		Items    []endpointSlice `json:"items"`
	}
	if err := json.NewDecoder(newImpatient(resp.Body, loadIdle, cancel)).Decode(&list); err != nil {
		return "", cutOff(err)
	}
	for _, s := range list.Items {
		each(s)
	}
	return list.Metadata.Continue, nil
}

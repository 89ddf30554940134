package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"confd/backends"
)

// Writer writes the little that is ever written to a cluster: Events, and
// annotations. A Backend writes nothing.
type Writer struct{ client *client }

// NewWriter checks the settings, of which only those count that say how to reach the
// API server. It does not connect.
func NewWriter(cfg Config) (*Writer, error) {
	if err := check(cfg); err != nil {
		return nil, fmt.Errorf("settings for Kubernetes: %w", err)
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("settings for Kubernetes: %w", err)
	}
	return &Writer{c}, nil
}

// Close ends the connections.
func (w *Writer) Close() { w.client.close() }

// NodeEvent is something that happened on a node.
type NodeEvent struct {
	Node    string // the name of the Node
	Warning bool   // and not just worth knowing
	Reason  string // one word
	Text    string // at most 1 kB
	At      time.Time
}

// eventNamespace is where events of objects without a namespace belong.
const eventNamespace = "default"

// Event makes an Event of a Node. Its UID is the node's name, as in the kubelet's own:
// kubectl describe node looks for both.
func (w *Writer) Event(ctx context.Context, e NodeEvent) error {
	kind := "Normal"
	if e.Warning {
		kind = "Warning"
	}
	at := e.At.UTC().Format(time.RFC3339)
	return w.write(ctx, request{
		method: http.MethodPost, path: "/api/v1/namespaces/" + eventNamespace + "/events", contentType: "application/json",
	}, map[string]any{
		"apiVersion":     "v1",
		"kind":           "Event",
		"metadata":       map[string]any{"generateName": "confd-", "namespace": eventNamespace},
		"involvedObject": map[string]any{"apiVersion": "v1", "kind": "Node", "name": e.Node, "uid": e.Node},
		"type":           kind, "reason": e.Reason, "message": e.Text, "count": 1, "firstTimestamp": at, "lastTimestamp": at,
		"source": map[string]any{"component": "confd", "host": e.Node},
	})
}

func (w *Writer) write(ctx context.Context, r request, body any) error {
	ctx, cancel := context.WithTimeout(ctx, headerTimeout)
	defer cancel()
	var err error
	if r.body, err = json.Marshal(body); err != nil {
		return err
	}
	r.accept = "application/json"
	resp, err := w.client.do(ctx, r)
	if err != nil {
		return fmt.Errorf("the API server at %s: %w", w.client.where(), err)
	}
	return resp.Body.Close()
}

// Annotate gives one of Calico's objects an annotation, or takes it away (value is
// empty). That there is no such object is an error.
func (w *Writer) Annotate(ctx context.Context, k backends.Key, name, value string) error {
	cfg := w.client.cfg
	cfg.CalicoResources = true
	g, err := discover(ctx, w.client, cfg)
	if err != nil {
		return fmt.Errorf("the API server at %s: %w", w.client.where(), err)
	}
	i := slices.IndexFunc(calicoKinds(cfg), func(c calicoKind) bool { return c.kind == k.Kind })
	if i < 0 {
		return fmt.Errorf("%s: objects of this kind are not annotated", k)
	}
	var text any // null takes it away
	if value != "" {
		text = value
	}
	err = w.write(ctx, request{
		method: http.MethodPatch, path: "/apis/" + g.name + "/" + calicoKinds(cfg)[i].plural + "/" + url.PathEscape(k.Name), contentType: "application/merge-patch+json",
	}, map[string]any{"metadata": map[string]any{"annotations": map[string]any{name: text}}})
	if err != nil {
		return fmt.Errorf("annotating %s: %w", k, err)
	}
	return nil
}

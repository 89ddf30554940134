package kubernetes

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Limits of a connection. A server that falls silent is noticed by pings, in
// half a minute at most; HTTP/1.1 has none, and watches end by idleHTTP1.
const (
	dialTimeout   = 8 * time.Second
	headerTimeout = 30 * time.Second
	pingAfter     = 10 * time.Second
	pingTimeout   = 5 * time.Second
)

// Where a pod finds what its service account may show.
const (
	podToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"
	podCA    = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
)

// connection is a way to the API server, with the credentials of one moment.
type connection struct {
	base   *url.URL
	client *http.Client
	close  func()
}

// connect reads the settings' files; it does not dial.
func connect(cfg Config) (*connection, error) {
	rc, err := restConfig(cfg)
	if err != nil {
		return nil, err
	}
	base, _, err := rest.DefaultServerUrlFor(rc)
	if err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	tls, err := rest.TLSConfigFor(rc)
	if err != nil {
		return nil, fmt.Errorf("certificates for the API server: %w", err)
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: pingAfter}).DialContext,
		TLSClientConfig:       tls,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: headerTimeout,
		ForceAttemptHTTP2:     true,
		HTTP2:                 &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		// Compressing lists for every node is dear for the API server.
		DisableCompression: true,
		IdleConnTimeout:    90 * time.Second,
	}
	if rc.Proxy != nil {
		transport.Proxy = rc.Proxy
	}
	if rc.Dial != nil {
		transport.DialContext = rc.Dial
	}
	rt, err := rest.HTTPWrappersForConfig(rc, transport)
	if err != nil {
		return nil, fmt.Errorf("credentials for the API server: %w", err)
	}
	return &connection{base: base, client: &http.Client{Transport: rt}, close: transport.CloseIdleConnections}, nil
}

func restConfig(cfg Config) (*rest.Config, error) {
	rc, err := findConfig(cfg)
	if err != nil {
		return nil, err
	}
	rc.UserAgent = "confd"
	return rc, nil
}

func findConfig(cfg Config) (*rest.Config, error) {
	switch {
	case cfg.Kubeconfig != "":
		rc, err := kubeconfig(cfg).ClientConfig()
		if clientcmd.IsEmptyConfig(err) { // its words are of variables that kubectl has
			err = errors.New("names no API server: it has no current context, or no cluster of the name that this one gives")
		}
		if err != nil && !strings.Contains(err.Error(), cfg.Kubeconfig) {
			err = fmt.Errorf("%s: %w", cfg.Kubeconfig, err)
		}
		if err != nil {
			return nil, fmt.Errorf("KUBECONFIG: %w", err)
		}
		return rc, nil
	case cfg.APIEndpoint != "":
		return endpointConfig(cfg), nil
	}
	rc, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, errors.New("no API server: this is no pod, and there is no kubeconfig; set KUBECONFIG or K8S_API_ENDPOINT")
	}
	if err != nil {
		return nil, fmt.Errorf("this pod's service account: %w", err)
	}
	return rc, nil
}

// kubeconfig is what the kubeconfig files say, where there are some.
func kubeconfig(cfg Config) clientcmd.ClientConfig {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: cfg.Kubeconfig}
	if list := filepath.SplitList(cfg.Kubeconfig); len(list) > 1 && !exists(cfg.Kubeconfig) && slices.ContainsFunc(list, exists) {
		// Without any of them the credentials of a pod would be used, without a word.
		rules = &clientcmd.ClientConfigLoadingRules{Precedence: list}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{
		CurrentContext: cfg.Context,
		ClusterInfo:    clientcmdapi.Cluster{Server: cfg.APIEndpoint, CertificateAuthority: cfg.CAFile},
		AuthInfo:       clientcmdapi.AuthInfo{ClientCertificate: cfg.CertFile, ClientKey: cfg.KeyFile},
	})
}

// Contexts are the names of the contexts that the kubeconfig files have, in order; none
// where they cannot be read.
func Contexts(cfg Config) []string {
	raw, err := kubeconfig(cfg).RawConfig()
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(raw.Contexts))
}

// Origin says, for people, which API server is meant: by which context of which file,
// or by what else.
func (cfg Config) Origin() string {
	switch {
	case cfg.Kubeconfig == "" && cfg.APIEndpoint != "":
		return cfg.APIEndpoint
	case cfg.Kubeconfig == "":
		return "the one of this pod's cluster"
	case cfg.APIEndpoint != "":
		return fmt.Sprintf("%s, with the credentials of %s", cfg.APIEndpoint, cfg.Kubeconfig)
	}
	name := cfg.Context
	if raw, err := kubeconfig(cfg).RawConfig(); err == nil && name == "" {
		name = raw.CurrentContext
	}
	return fmt.Sprintf("that of context %q of %s", name, cfg.Kubeconfig)
}

// endpointConfig uses the pod's service account for what is not set.
func endpointConfig(cfg Config) *rest.Config {
	rc := &rest.Config{Host: cfg.APIEndpoint, TLSClientConfig: rest.TLSClientConfig{
		CertFile: cfg.CertFile, KeyFile: cfg.KeyFile, CAFile: cfg.CAFile,
	}}
	if cfg.CertFile == "" && exists(podToken) {
		rc.BearerTokenFile = podToken
		if cfg.CAFile == "" && exists(podCA) {
			rc.CAFile = podCA
		}
	}
	return rc
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

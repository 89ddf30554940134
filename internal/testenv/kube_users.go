package testenv

import (
	"crypto/rand"
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// AdminKubeconfig is Kubeconfig of one who may do everything.
func (k *Kube) AdminKubeconfig(tb testing.TB) string {
	tb.Helper()
	return k.Kubeconfig(tb, adminUser)
}

// Kubeconfig writes a kubeconfig file for a user and returns its path. The
// token stands in a file of its own, as in a pod: see ExpireToken.
func (k *Kube) Kubeconfig(tb testing.TB, user string) string {
	tb.Helper()
	k.checkUser(tb, user)
	config := clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: k.URL(), CertificateAuthorityData: k.CA()}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{user: {TokenFile: k.tokenFile(user)}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: user}},
		CurrentContext: "test",
	}
	path := filepath.Join(k.Dir, user+".kubeconfig")
	if err := clientcmd.WriteToFile(config, path); err != nil {
		tb.Fatalf("write %s: %v", path, err)
	}
	return path
}

// Config is the settings of a client-go client for a user ("admin" may do
// everything). It sends requests as fast as it can.
func (k *Kube) Config(tb testing.TB, user string) *rest.Config {
	tb.Helper()
	k.checkUser(tb, user)
	return &rest.Config{
		Host:            k.URL(),
		TLSClientConfig: rest.TLSClientConfig{CAData: k.CA()},
		BearerToken:     k.tokens[user],
		BearerTokenFile: k.tokenFile(user),
		QPS:             -1,
	}
}

// ExpireToken restarts the server, which then no longer takes the user's token
// (it answers 401) until RenewToken gives the user the new one.
func (k *Kube) ExpireToken(tb testing.TB, user string) {
	tb.Helper()
	k.checkUser(tb, user)
	k.tokens[user] = rand.Text()
	k.Restart()
}

// RenewToken puts the user's new token into the file that the user's
// kubeconfig names. A client-go client that runs already reads the file again
// within a minute.
func (k *Kube) RenewToken(tb testing.TB, user string) {
	tb.Helper()
	k.checkUser(tb, user)
	k.writeFile(k.tokenFile(user), k.tokens[user])
}

func (k *Kube) checkUser(tb testing.TB, user string) {
	tb.Helper()
	if _, ok := k.tokens[user]; !ok {
		tb.Fatalf("the API server has no user %q: name it with KubeUsers", user)
	}
}

package settings

func etcdSettings() []Setting {
	return []Setting{
		{
			Name: "etcd-endpoints", Env: "ETCD_ENDPOINTS", Field: "etcdEndpoints", Group: GroupEtcd, Common: true,
			Help: "addresses of the etcd servers, such as https://10.0.0.1:2379",
			bind: func(s *Settings) value { return list(&s.Etcd.Endpoints) },
		},
		{
			Name: "etcd-discovery-srv", Env: "ETCD_DISCOVERY_SRV", Field: "etcdDiscoverySrv", Group: GroupEtcd,
			Help: "domain whose SRV records name the etcd servers, instead of endpoints",
			bind: func(s *Settings) value { return text(&s.Etcd.DiscoverySRV) },
		},
		{
			Name: "etcd-username", Env: "ETCD_USERNAME", Field: "etcdUsername", Group: GroupEtcd,
			Help: "user to log in to etcd as",
			bind: func(s *Settings) value { return text(&s.Etcd.Username) },
		},
		{
			Name: "etcd-password", Env: "ETCD_PASSWORD", Field: "etcdPassword", Group: GroupEtcd, NoFlag: true,
			Help: "password of that user; there is no flag, since every user of a machine can see flags",
			bind: func(s *Settings) value { return password(&s.Etcd.Password) },
		},
		{
			Name: "etcd-key-file", Env: "ETCD_KEY_FILE", Field: "etcdKeyFile", Group: GroupEtcd,
			Help: "PEM file with the key of the client certificate",
			bind: func(s *Settings) value { return file(&s.Etcd.KeyFile) },
		},
		{
			Name: "etcd-cert-file", Env: "ETCD_CERT_FILE", Field: "etcdCertFile", Group: GroupEtcd,
			Help: "PEM file with the client certificate",
			bind: func(s *Settings) value { return file(&s.Etcd.CertFile) },
		},
		{
			Name: "etcd-ca-cert-file", Env: "ETCD_CA_CERT_FILE", Field: "etcdCACertFile", Group: GroupEtcd,
			Help: "PEM file with the certificates of who may vouch for the servers",
			bind: func(s *Settings) value { return file(&s.Etcd.CAFile) },
		},
	}
}

func kubernetesSettings() []Setting {
	return []Setting{
		{
			Name: "kubeconfig", Env: "KUBECONFIG", Field: "kubeconfig", Group: GroupKubernetes, Common: true,
			Computed: "the pod's service account; of a command that only looks, outside of a pod: ~/.kube/config",
			Help:     "kubeconfig file for the API server, or several, with colons between",
			bind:     func(s *Settings) value { return file(&s.Kubernetes.Kubeconfig) },
		},
		{
			Name: "context", Env: "CONFD_CONTEXT", Group: GroupKubernetes, Common: true, Computed: "its current one",
			Help: "context of the kubeconfig to use",
			bind: func(s *Settings) value { return text(&s.Kubernetes.Context) },
		},
		{
			Name: "k8s-api-endpoint", Env: "K8S_API_ENDPOINT", Field: "k8sAPIEndpoint", Group: GroupKubernetes,
			Help: "URL of the API server",
			bind: func(s *Settings) value { return text(&s.Kubernetes.APIEndpoint) },
		},
		{
			Name: "k8s-key-file", Env: "K8S_KEY_FILE", Field: "k8sKeyFile", Group: GroupKubernetes,
			Help: "PEM file with the key of the client certificate",
			bind: func(s *Settings) value { return file(&s.Kubernetes.KeyFile) },
		},
		{
			Name: "k8s-cert-file", Env: "K8S_CERT_FILE", Field: "k8sCertFile", Group: GroupKubernetes,
			Help: "PEM file with the client certificate",
			bind: func(s *Settings) value { return file(&s.Kubernetes.CertFile) },
		},
		{
			Name: "k8s-ca-file", Env: "K8S_CA_FILE", Field: "k8sCAFile", Group: GroupKubernetes,
			Help: "PEM file with the certificates of who may vouch for the API server",
			bind: func(s *Settings) value { return file(&s.Kubernetes.CAFile) },
		},
		{
			Name: "k8s-client-qps", Env: "K8S_CLIENT_QPS", Field: "k8sClientQPS", Group: GroupKubernetes, Computed: "the client's own limit",
			Help: "requests a second that the API server may be asked",
			bind: func(s *Settings) value { return number(&s.Kubernetes.QPS) },
		},
		{
			Name: "k8s-client-burst", Env: "K8S_CLIENT_BURST", Field: "k8sClientBurst", Group: GroupKubernetes, Computed: "the client's own limit",
			Help: "requests that may go out at once, above that rate",
			bind: func(s *Settings) value { return whole(&s.Kubernetes.Burst) },
		},
		{
			Name: "use-pod-cidr", Env: "USE_POD_CIDR", Field: "k8sUsePodCIDR", Default: "false", Group: GroupKubernetes,
			Help: "take each node's blocks from its podCIDRs instead of Calico's IPAM, in any datastore",
			bind: func(s *Settings) value { return boolean(&s.Kubernetes.UsePodCIDR) },
		},
		{
			Name: "calico-api-group", Env: "CALICO_API_GROUP", Field: "calicoAPIGroup", Group: GroupKubernetes, Computed: "the one that the server has",
			Help: "API group of Calico's resources: crd.projectcalico.org/v1 or projectcalico.org/v3",
			bind: func(s *Settings) value {
				return text(&s.Kubernetes.APIGroup).or("crd.projectcalico.org/v1", "projectcalico.org/v3")
			},
		},
		{
			Name: "namespace", Env: "NAMESPACE", Default: "kube-system", Group: GroupKubernetes,
			Help: "namespace of the Secrets that hold session passwords",
			bind: func(s *Settings) value { return text(&s.Kubernetes.Namespace) },
		},
	}
}

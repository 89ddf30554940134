package settings

import (
	"math"
	"strconv"
	"strings"
	"time"
)

func typhaSettings() []Setting {
	// The variables are those of Calico's own programs.
	row := func(name, variable, def, help string, bind func(*Settings) value) Setting {
		return Setting{
			Name: name, Env: "CONFD_" + variable, OtherEnvs: []string{"FELIX_" + variable, "CALICO_" + variable}, Default: def, Group: GroupTypha,
			Help: help, bind: bind,
		}
	}
	return []Setting{
		row("typha-addr", "TYPHAADDR", "", "address (HOST:PORT) of a Typha server, to read the cluster's state through; wins over the Service",
			func(s *Settings) value { return textOrNone(&s.Typha.Addr) }),
		row("typha-service", "TYPHAK8SSERVICENAME", "", "Service in Kubernetes whose endpoints are the Typha servers, at its port calico-typha",
			func(s *Settings) value { return textOrNone(&s.Typha.Service) }),
		row("typha-namespace", "TYPHAK8SNAMESPACE", "kube-system", "namespace of that Service",
			func(s *Settings) value { return textOrNone(&s.Typha.Namespace) }),
		row("typha-read-timeout", "TYPHAREADTIMEOUT", "30s", "silence after which a connection to Typha is given up; a number alone is in seconds",
			func(s *Settings) value { return seconds(&s.Typha.ReadTimeout) }),
		row("typha-write-timeout", "TYPHAWRITETIMEOUT", "10s", "how long connecting to Typha, and writing to it, may take; a number alone is in seconds",
			func(s *Settings) value { return seconds(&s.Typha.WriteTimeout) }),
		row("typha-key-file", "TYPHAKEYFILE", "", "PEM file with the key of the client certificate for Typha",
			func(s *Settings) value { return textOrNone(&s.Typha.KeyFile).of(KindFile) }),
		row("typha-cert-file", "TYPHACERTFILE", "", "PEM file with the client certificate for Typha",
			func(s *Settings) value { return textOrNone(&s.Typha.CertFile).of(KindFile) }),
		row("typha-ca-file", "TYPHACAFILE", "", "PEM file with the certificates of who may vouch for Typha's servers",
			func(s *Settings) value { return textOrNone(&s.Typha.CAFile).of(KindFile) }),
		row("typha-cn", "TYPHACN", "", "common name that the certificates of Typha's servers have",
			func(s *Settings) value { return textOrNone(&s.Typha.CN) }),
		row("typha-uri-san", "TYPHAURISAN", "", "URI that the certificates of Typha's servers name; with a common name either will do",
			func(s *Settings) value { return textOrNone(&s.Typha.URISAN) }),
	}
}

// textOrNone reads a text; the word none stands for no text.
func textOrNone(p *string) value {
	return value{kind: KindText, expects: "text", set: func(s string) bool {
		if *p = strings.TrimSpace(s); isNone(*p) {
			*p = ""
		}
		return true
	}}
}

// seconds reads a duration, as a number of seconds or with its unit.
func seconds(p *time.Duration) value {
	v := limit(p)
	return value{kind: KindDuration, expects: "a number of seconds, or a duration such as 30s, more than 0", set: func(s string) bool {
		n, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return v.set(s)
		}
		*p = time.Duration(n * float64(time.Second))
		return n > 0 && n < math.MaxInt64/float64(time.Second) && *p > 0
	}}
}

package main

import (
	"context"
	"fmt"
	"os/exec"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcdServer is a real etcd in this namespace.
type etcdServer struct {
	url    string
	cmd    *exec.Cmd
	client *clientv3.Client
}

func startEtcd(dir string) (*etcdServer, error) {
	e := &etcdServer{url: "http://127.0.0.1:2379"}
	e.cmd = exec.Command("etcd", "--data-dir", dir, "--listen-client-urls", "http://0.0.0.0:2379", "--advertise-client-urls", e.url, "--logger", "zap", "--log-level", "fatal")
	e.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := e.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting etcd: %w (make deps installs it)", err)
	}
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{e.url}, DialTimeout: 30 * time.Second})
	if err != nil {
		e.stop()
		return nil, fmt.Errorf("etcd at %s: %w", e.url, err)
	}
	e.client = client
	return e, nil
}

// store is etcd as a program reads it from here.
func (e *etcdServer) store() store {
	return store{name: "etcd", args: []string{"--datastore", "etcdv3", "--etcd-endpoints", e.url}}
}

func (e *etcdServer) stop() {
	if e.client != nil {
		_ = e.client.Close() // nothing is left to lose
	}
	_ = e.cmd.Process.Kill() // fails only where it is gone
	_ = e.cmd.Wait()
}

// replace makes keys all that etcd holds.
func (e *etcdServer) replace(keys map[string]string) error {
	if err := e.transaction(clientv3.OpDelete("/calico/", clientv3.WithPrefix())); err != nil {
		return err
	}
	batch := map[string]string{}
	for k, v := range keys {
		batch[k] = v
		if len(batch) == 100 { // etcd takes 128 in one transaction
			if err := e.put(batch); err != nil {
				return err
			}
			clear(batch)
		}
	}
	return e.put(batch)
}

// put writes the keys in one transaction.
func (e *etcdServer) put(keys map[string]string) error {
	var ops []clientv3.Op
	for k, v := range keys {
		ops = append(ops, clientv3.OpPut(k, v))
	}
	return e.transaction(ops...)
}

func (e *etcdServer) transaction(ops ...clientv3.Op) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := e.client.Txn(ctx).Then(ops...).Commit(); err != nil {
		return fmt.Errorf("writing to etcd: %w", err)
	}
	return nil
}

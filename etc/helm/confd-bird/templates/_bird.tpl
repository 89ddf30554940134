{{- define "confd.bird" -}}
- name: bird
  {{- include "confd.image" (list . "bird") | nindent 2 }}
  command:
    - sh
    - -c
    # Waits for the first configuration. One that BIRD refuses is put aside:
    # confd, which has no bird program to check with, replaces no configuration
    # unchecked, but does write one where there is none.
    - |
      cd /etc/bird
      until [ -f bird.conf ] && bird -p -c bird.conf; do
        [ ! -f bird.conf ] || mv bird.conf refused.conf
        sleep 1
      done
      exec bird -f -R -c /etc/bird/bird.conf -s /run/bird/bird.ctl
  securityContext:
    # As root, since Kubernetes gives capabilities to nobody else.
    runAsUser: 0
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop: [ALL]
      add:
        - NET_ADMIN # routes of the kernel
        - NET_BIND_SERVICE # port 179
        - NET_RAW # sockets bound to an interface
  lifecycle:
    preStop:
      # Peers keep the routes while BIRD is replaced (see -R above).
      exec: {command: [birdc, -s, /run/bird/bird.ctl, graceful, restart]}
  # Ready: there is a configuration, and BIRD runs. A BIRD that waits for its
  # first configuration is alive, but not ready.
  readinessProbe:
    exec: {command: [sh, -c, "test -f /etc/bird/bird.conf && birdc -s /run/bird/bird.ctl show status"]}
    periodSeconds: 10
    timeoutSeconds: 5
  livenessProbe:
    exec: {command: [sh, -c, "test ! -f /etc/bird/bird.conf || birdc -s /run/bird/bird.ctl show status"]}
    periodSeconds: 20
    timeoutSeconds: 10
    # BIRD may be busy for long with a great many routes, and a restart would
    # make that worse.
    failureThreshold: 6
  resources: {{- include "confd.yaml" .Values.bird.resources | nindent 4 }}
  volumeMounts:
    - {name: configuration, mountPath: /etc/bird}
    - {name: control, mountPath: /run/bird}
{{- end }}

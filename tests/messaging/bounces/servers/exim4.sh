rm -rf /var/spool/exim4/input/* /var/spool/exim4/db/* /var/spool/exim4/msglog/*
id user1 >/dev/null 2>&1 || useradd -m user1; useradd -m full 2>/dev/null
cat > /etc/exim4/exim4.conf <<E
primary_hostname = mx.shop.example
qualify_domain = shop.example
domainlist local_domains = mx.shop.example : local.example
hostlist relay_from_hosts = 127.0.0.0/8 : 198.51.100.0/24
daemon_smtp_ports = 25
local_interfaces = 127.0.0.1 : 198.51.100.5
acl_smtp_rcpt = acl_ok
acl_smtp_data = acl_ok
trusted_users = root : user1
never_users =
delay_warning = 15s
timeout_frozen_after = 1d
ignore_bounce_errors_after = 10s
dns_retry = 1
dns_retrans = 1s
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
queue_run_max = 8
deliver_queue_load_max = 50
queue_only_load = 50
log_file_path = /var/log/exim4/%slog
keep_environment =
bounce_return_size_limit = 20K
begin acl
acl_ok:
  accept
begin routers
dnslookup:
  driver = dnslookup
  domains = ! +local_domains
  transport = remote_smtp
  ignore_target_hosts = 0.0.0.0 : 127.0.0.0/8
  no_more
literal:
  driver = ipliteral
  domains = ! +local_domains
  transport = remote_smtp
aliases:
  driver = redirect
  allow_fail
  allow_defer
  data = \${lookup{\$local_part}lsearch{/etc/exim4/aliases}}
  file_transport = address_file
  pipe_transport = address_pipe
  user = user1
vacation:
  driver = accept
  local_parts = vacation
  transport = vacation
local:
  driver = accept
  local_parts = user1 : full
  transport = local_delivery
  cannot_route_message = Unknown user
begin transports
remote_smtp:
  driver = smtp
  connect_timeout = 5s
  command_timeout = 5s
  dnssec_request_domains = :
local_delivery:
  driver = appendfile
  file = /var/mail/\$local_part
  user = user1
  quota = 50K
  quota_size_regex =
  mode_fail_narrower = false
address_pipe:
  driver = pipe
  return_output
address_file:
  driver = appendfile
vacation:
  driver = autoreply
  user = user1
  to = \$sender_address
  from = "Vacation User <vacation@local.example>"
  subject = "Out of office: \$h_subject:"
  text = "I am away until 3 June. Your mail will not be forwarded.\nMy mailbox is full of sun.\n"
begin retry
full@local.example quota F,30s,5s
* quota
* * F,30s,5s
begin rewrite
begin authenticators
E
sed -i '/quota_size_regex/d; /dnssec_request_domains/d' /etc/exim4/exim4.conf
cat > /etc/exim4/aliases <<E
pipe: |/bin/sh -c "echo cannot deliver, quota database is gone; exit 73"
oldstaff: bert@mixed.example
team: bert@mixed.example, carl@mixed.example, user1@local.example
friends: user1@local.example, anna@mixed.example
loopa: loopb@local.example
loopb: loopa@local.example
reject: :fail: no mail for this person any more; the mailbox has been closed
E
head -c 51100 /dev/zero | tr '\0' x > /var/mail/full; chown user1 /var/mail/full; chmod 660 /var/mail/full; chmod 777 /var/mail
exim4 -bV | tail -3; exim4 -C /etc/exim4/exim4.conf -bd -q5s || exit
sleep 1
python3 /harness/send.py /harness/cases.jsonl
for i in $(seq 24); do sleep 5; [ "$(exim4 -bpc)" = 0 ] && break; done; exim4 -bp | head -20

id user1 >/dev/null 2>&1 || useradd -m user1
cat > /etc/postfix/main.cf <<E
compatibility_level = 3.6
myhostname = mx.shop.example
mydomain = shop.example
myorigin = shop.example
mydestination = mx.shop.example, localhost, local.example
inet_interfaces = 127.0.0.1, 198.51.100.5
inet_protocols = ipv4
mynetworks = 127.0.0.0/8 198.51.100.0/24
smtpd_relay_restrictions = permit_mynetworks, reject
local_recipient_maps =
luser_relay =
alias_maps = hash:/etc/aliases
alias_database = hash:/etc/aliases
maillog_file = /var/log/postfix.log
smtp_host_lookup = dns
smtp_dns_resolver_options =
maximal_queue_lifetime = 40s
bounce_queue_lifetime = 100s
delay_warning_time = 15s
queue_run_delay = 5s
minimal_backoff_time = 5s
maximal_backoff_time = 8s
smtp_connect_timeout = 5s
smtp_helo_timeout = 5s
smtp_connection_cache_on_demand = no
smtp_destination_concurrency_failed_cohort_limit = 0
default_destination_recipient_limit = 50
smtpd_client_connection_rate_limit = 0
mailbox_size_limit = 51200
message_size_limit = 51200
smtputf8_enable = yes
mailbox_command_maps = hash:/etc/postfix/mcm
soft_bounce = no
E
useradd -m full 2>/dev/null; mkdir -p /var/mail; head -c 51100 /dev/zero | tr '\0' x > /var/mail/full; chown full /var/mail/full; chmod 666 /var/mail/full
cat > /etc/aliases <<E
postmaster: root
pipe: "|/bin/sh -c 'echo cannot deliver: quota database is gone; exit 73'"
oldstaff: bert@mixed.example
team: bert@mixed.example, carl@mixed.example, user1
friends: user1, anna@mixed.example
loopa: loopb
loopb: loopa
E
: > /etc/postfix/mcm; postmap /etc/postfix/mcm; newaliases
postsuper -d ALL 2>/dev/null; postconf -F "*/*/chroot=n"; postfix start
sleep 2
python3 /harness/send.py /harness/cases.jsonl
for i in $(seq 24); do sleep 5; mailq | grep -q empty && break; done; mailq | tail -1
mailq | head -20
postfix stop

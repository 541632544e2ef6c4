rm -rf /var/spool/smtpd/queue/* /var/spool/smtpd/incoming/* /var/spool/smtpd/offline/*
id user1 >/dev/null 2>&1 || useradd -m user1; useradd -m full 2>/dev/null
cat > /etc/smtpd.conf <<E
queue ttl 30s
queue compression
bounce warn-interval 10s
smtp max-message-size 50K
table aliases file:/etc/aliases
listen on 198.51.100.5
listen on 127.0.0.1
action "local" mbox alias <aliases>
action "relay" relay
match from any for domain "local.example" action "local"
match from any for domain "mx.shop.example" action "local"
match from any for any action "relay"
E
sed -i '/compression/d' /etc/smtpd.conf
cat > /etc/aliases <<E
postmaster: root
pipe: "|/bin/sh -c 'echo cannot deliver: quota database is gone; exit 73'"
full: "|/bin/sh -c 'exit 75'"
reject: error:550 not wanted here
oldstaff: bert@mixed.example
team: bert@mixed.example, carl@mixed.example, user1
friends: user1, anna@mixed.example
loopa: loopb
loopb: loopa
E
smtpd -n || exit
smtpd -dv > /var/log/smtpd.log 2>&1 &
sleep 2
python3 /harness/send.py /harness/cases.jsonl
for i in $(seq 24); do sleep 5; [ -z "$(smtpctl show queue)" ] && break; done; smtpctl show queue | head
kill %1; tail -5 /var/log/smtpd.log

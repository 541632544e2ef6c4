cat > /etc/dma/dma.conf <<E
MAILNAME mx.shop.example
E
printf 'team: bert@mixed.example, carl@mixed.example\noldstaff: bert@mixed.example\n' > /etc/aliases
mkdir -p /var/mail /var/spool/dma; chown root:mail /var/spool/dma; chmod 2775 /var/spool/dma
grep -v -E '"x-utf8|x-literal|x-success' /harness/cases.jsonl > /harness/c.jsonl
python3 /harness/send.py /harness/c.jsonl --command /usr/sbin/dma
sleep 15
# dma gives up after five days: make the queue that old
for i in 1 2 3; do touch -d '6 days ago' /var/spool/dma/M* /var/spool/dma/Q* 2>/dev/null; /usr/sbin/dma -q; sleep 8; done
ls /var/spool/dma | head; tail -3 /var/log/mail.log 2>/dev/null

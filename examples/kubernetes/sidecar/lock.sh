#!/bin/sh
# Written by `policyd egress --format iptables`; write it again when the deployment changes.
# In this network namespace only the user id of policyd may leave the machine, and only to these ports; everybody may
# answer whoever connected to them, and talk over loopback. It needs NET_ADMIN, and is run before anything else starts.
set -eu
uid=65532
# The kernel knows no names: for api.anthropic.com:443 the port is open to policyd everywhere outside.

iptables -w 5 -N POLICYD_EGRESS
iptables -w 5 -A POLICYD_EGRESS -o lo -j RETURN
iptables -w 5 -A POLICYD_EGRESS -m conntrack --ctstate ESTABLISHED -j RETURN
iptables -w 5 -A POLICYD_EGRESS -m owner ! --uid-owner "$uid" -j REJECT
iptables -w 5 -A POLICYD_EGRESS -p udp --dport 53 -j RETURN
iptables -w 5 -A POLICYD_EGRESS -p tcp --dport 53 -j RETURN
# 10.20.3.7:8000 (target rack)
iptables -w 5 -A POLICYD_EGRESS -d 10.20.3.7/32 -p tcp --dport 8000 -j RETURN
# api.anthropic.com:443 (target claude)
iptables -w 5 -A POLICYD_EGRESS -d 0.0.0.0/8 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 10.0.0.0/8 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 100.64.0.0/10 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 127.0.0.0/8 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 169.254.0.0/16 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 172.16.0.0/12 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 192.0.0.0/24 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 192.0.2.0/24 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 192.168.0.0/16 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 198.18.0.0/15 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 198.51.100.0/24 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 203.0.113.0/24 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 224.0.0.0/4 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 240.0.0.0/4 -p tcp --dport 443 -j REJECT
iptables -w 5 -A POLICYD_EGRESS -d 0.0.0.0/0 -p tcp --dport 443 -j RETURN
iptables -w 5 -A POLICYD_EGRESS -j REJECT
iptables -w 5 -I OUTPUT 1 -j POLICYD_EGRESS

# A kernel without IPv6 has nothing to close.
[ -e /proc/net/if_inet6 ] || exit 0
ip6tables -w 5 -N POLICYD_EGRESS
ip6tables -w 5 -A POLICYD_EGRESS -o lo -j RETURN
ip6tables -w 5 -A POLICYD_EGRESS -m conntrack --ctstate ESTABLISHED -j RETURN
ip6tables -w 5 -A POLICYD_EGRESS -p ipv6-icmp --icmpv6-type neighbour-solicitation -j RETURN
ip6tables -w 5 -A POLICYD_EGRESS -p ipv6-icmp --icmpv6-type neighbour-advertisement -j RETURN
ip6tables -w 5 -A POLICYD_EGRESS -m owner ! --uid-owner "$uid" -j REJECT
ip6tables -w 5 -A POLICYD_EGRESS -p udp --dport 53 -j RETURN
ip6tables -w 5 -A POLICYD_EGRESS -p tcp --dport 53 -j RETURN
# api.anthropic.com:443 (target claude)
ip6tables -w 5 -A POLICYD_EGRESS -d ::/127 -p tcp --dport 443 -j REJECT
ip6tables -w 5 -A POLICYD_EGRESS -d 64:ff9b:1::/48 -p tcp --dport 443 -j REJECT
ip6tables -w 5 -A POLICYD_EGRESS -d 2001:db8::/32 -p tcp --dport 443 -j REJECT
ip6tables -w 5 -A POLICYD_EGRESS -d fc00::/7 -p tcp --dport 443 -j REJECT
ip6tables -w 5 -A POLICYD_EGRESS -d fe80::/10 -p tcp --dport 443 -j REJECT
ip6tables -w 5 -A POLICYD_EGRESS -d ff00::/8 -p tcp --dport 443 -j REJECT
ip6tables -w 5 -A POLICYD_EGRESS -d ::/0 -p tcp --dport 443 -j RETURN
ip6tables -w 5 -A POLICYD_EGRESS -j REJECT
ip6tables -w 5 -I OUTPUT 1 -j POLICYD_EGRESS

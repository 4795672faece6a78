FROM stand-in
ENV PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data LANG=C.UTF-8
COPY postgres.sh /usr/local/bin/entrypoint
STOPSIGNAL SIGINT
ENTRYPOINT ["/usr/local/bin/entrypoint"]

export PATH=/opt/trainyard/bin:$PATH

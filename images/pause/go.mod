module trainyard.dev/images/pause

go 1.26

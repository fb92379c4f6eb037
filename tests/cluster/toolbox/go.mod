module trainyard.dev/tests/cluster/toolbox

go 1.26

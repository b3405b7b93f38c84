# E7: libevent's chain of pairs. Columns: curves.gp, and active, writes.
#   gnuplot -e "data='…/charts/chain.dat'; out='x.svg'" plots/chain.gp

load 'plots/style.gp'
stats data using (active = strcol('active'), writes = strcol('writes'), 0) nooutput
eval heading(sprintf('Chain of pairs: %s active, %s writes', active, writes))
set xlabel 'pairs'
set ylabel 'time of the chain, µs'
set format x counts
set format y times
logarithmic = 1
load 'plots/curves.gp'

# E8: memory for one connection that is idle. Columns: bars.gp.
#   gnuplot -e "data='…/charts/memory_idle.dat'; out='x.svg'" plots/memory_idle.gp

load 'plots/style.gp'
eval heading('Memory for a connection that is idle')
set xlabel 'KiB a connection'
first_part = 'the process of the server'
second_part = 'the kernel: both ends, all buffers'
unit = 1024.0
load 'plots/bars.gp'

# What all figures share: terminal, colours, marks, labels, caption. Loaded by each of them, from the
# project's directory. It takes, each with a default:
#
#   data      the file of columns
#   out       the picture, by its ending .svg or .png; without it the figure is drawn in the terminal
#   mouse     1: the SVG can be hovered over and its series toggled. It then needs gnuplot's own
#             js/gnuplot_svg.js beside it
#   caption   small print below the figure
#   kqueue    what kqueue is here
#   columns, lines   size of the terminal
#   height    of an SVG, whose width is 800

if (!exists('data')) { print 'say which columns: gnuplot -e "data=''…''" plots/….gp'; exit status 2 }
if (!exists('out')) out = ''
if (!exists('mouse')) mouse = 0
if (!exists('caption')) caption = ''
if (!exists('kqueue')) kqueue = 'kqueue'
if (!exists('columns')) columns = 100
if (!exists('lines')) lines = 36
if (!exists('height')) height = 520

set encoding utf8
plain = out eq ''
if (plain) {
    set terminal dumb noenhanced size columns, int(lines * height / 520.0)
} else { if (out[strlen(out)-3:] eq '.png') {
    if (strstrt(GPVAL_TERMINALS, 'pngcairo')) {
        set terminal pngcairo noenhanced size 1200, 1.5 * height fontscale 1.25 linewidth 1.5 pointscale 2 background 'white'
    } else {
        set terminal png noenhanced truecolor size 1200, 1.5 * height linewidth 2 font 'sans,13' background '#ffffff'
    }
} else { if (mouse) {
    set terminal svg mousing jsdir 'js' noenhanced size 800, height dynamic font 'sans,12' background 'white'
} else {
    set terminal svg noenhanced size 800, height dynamic font 'sans,12' background 'white'
} } }
if (!plain) set output out

# A server looks the same in every figure. The colours are Okabe and Ito's, which people who see
# fewer colours can still tell apart (jfly.uni-koeln.de/color); each has its mark as well.
servers = 'select_srv poll_srv  epoll_lt epoll_et kqueue_srv'
colours = '#E69F00    #D55E00   #0072B2  #56B4E9  #009E73'
marks   = '5          7         9        11       13'
number(server) = (sum [i=1:words(servers)] (word(servers, i) eq server ? i : 0))
known(server) = number(server) > 0
colour(server) = known(server) ? word(colours, number(server)) : '#777777'
mark(server) = known(server) ? int(word(marks, number(server))) : 1
emulated = strstrt(kqueue, '(') > 0
dash(server) = server eq 'kqueue_srv' && emulated ? 2 : 1
label(server) = server eq 'select_srv' ? 'select' : server eq 'poll_srv' ? 'poll' : \
    server eq 'epoll_lt' ? 'epoll, level-triggered' : \
    server eq 'epoll_et' ? 'epoll, edge-triggered' : kqueue

# Heading, key, picture and small print each have their own band, so that none lies over another.
set label 1000 caption at screen 0.05, screen 0.088 left font ',9' tc rgb '#444444'
set key at screen 0.5, screen 0.925 center top horizontal maxcols 3 Left reverse samplen 2.5 font ',10'
set tmargin at screen (plain ? 0.78 : 0.82)
set bmargin at screen (plain ? 0.24 : 0.22)
set rmargin 5
if (!plain) set grid lt 1 lc rgb '#dddddd' lw 0.5
set dashtype 2 (6, 3)
set border 3 lc rgb '#444444'
set tics nomirror
set errorbars small
heading(text) = sprintf('set label 1002 "%s" at screen 0.5, screen 0.965 center font ",14"', text)

# Numbers on axes: 10k for 10000, where they count something; as they are, where they are times.
counts = '%.0s%c'
times = '%.10g'

# Rows of one server, all others out of sight.
only(server, x) = strcol('server') eq server ? x : NaN
hollow(server, x) = strcol('server') eq server && column('valid') == 0 ? x : NaN
hover(server, text) = (known(server) ? label(server) : server).': '.text

# What all figures share: terminal, texts, colours, marks, caption. Each script loads it first, from the project's
# directory. Its variables are given by -e; all but data have a default:
#
#   data      the file of columns
#   out       the file of the picture; it ends in .svg or .png. Without it the figure is drawn in the terminal
#   mouse     1: in the SVG the pointer shows values, and a click on a name in the key hides its curve. The SVG
#             then needs gnuplot's own js/gnuplot_svg.js beside it
#   title, x_label, y_label, caption   texts; the caption is the small print below the figure
#   x_format, y_format   of the numbers on the axes
#   kqueue    what kqueue is here
#   columns, lines   size of the terminal
#   height    of an SVG, whose width is 800

if (!exists('data')) { print 'which columns? gnuplot -e "data=''…''" plots/….gp'; exit status 2 }
if (!exists('out')) out = ''
if (!exists('mouse')) mouse = 0
if (!exists('title')) title = data
if (!exists('x_label')) x_label = ''
if (!exists('y_label')) y_label = ''
if (!exists('x_format')) x_format = '%.10g'
if (!exists('y_format')) y_format = '%.10g'
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

# A server looks the same in every figure. harness/servers.toml has the colours, which are Okabe and Ito's, so that
# people who see fewer colours can still tell them apart (jfly.uni-koeln.de/color), and each server's mark.
servers = system('harness/servers name')
colours = system('harness/servers colour')
marks = system('harness/servers mark')
stand_ins = system('harness/servers stand_in')
if (words(servers) == 0) { print 'run gnuplot from the project''s directory, where harness/servers is'; exit status 2 }
array label_of[words(servers)]
rest = system('harness/servers label')."\n"
do for [i=1:words(servers)] {
    line_end = strstrt(rest, "\n")
    label_of[i] = rest[1:line_end - 1]
    rest = rest[line_end + 1:*]
}
number(server) = (sum [i=1:words(servers)] (word(servers, i) eq server ? i : 0))
known(server) = number(server) > 0
colour(server) = known(server) ? word(colours, number(server)) : '#777777'
mark(server) = known(server) ? int(word(marks, number(server))) : 1
emulated = strstrt(kqueue, '(') > 0
# Only kqueue has stand-ins: its label says which one it is.
stands_in(server) = known(server) && word(stand_ins, number(server)) eq 'true'
dash(server) = stands_in(server) && emulated ? 2 : 1
label(server) = stands_in(server) ? kqueue : label_of[number(server)]

# Title, key, picture and caption each have a band of their own, so that none lies over another.
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
set label 1002 title at screen 0.5, screen 0.965 center font ",14"
set xlabel x_label
if (y_label ne '') set ylabel y_label
set format x x_format
set format y y_format

# The rows of one server; gnuplot does not draw NaN.
only(server, x) = strcol('server') eq server ? x : NaN
hollow(server, x) = strcol('server') eq server && column('valid') == 0 ? x : NaN
hover(server, text) = (known(server) ? label(server) : server).': '.text

# Labs: kits for students, grading, and the proof of the grader. Included by the Makefile at the top.

.PHONY: lab-kit lab-solution grade grade-all gradescope lab-selftest lab-deps

lab_option = $(if $($(2)),--$(1) $(call quoted,$($(2))))
lab_needs = $(foreach each,$(1),$(if $($(each)),,\
    { echo '$@: say $(each)=…: $(lab_example)' >&2; exit 2; };))
lab_run = BUILD_DIR=$(call quoted,$(abspath $(BUILD))) labs/run

lab-deps:
	@harness/require cc pytest jinja2 strace patch --optional bwrap

lab-kit lab-solution: lab_example = make $@ LAB=4 VARIANT=word
lab-kit: lab-deps
	@$(call lab_needs,LAB) $(lab_run) labkit.kit --lab $(call quoted,$(LAB)) $(call lab_option,variant,VARIANT) \
	    $(call lab_option,out,OUT)

lab-solution: lab-deps
	@$(call lab_needs,LAB) $(lab_run) labkit.kit --solution --lab $(call quoted,$(LAB)) \
	    $(call lab_option,variant,VARIANT) $(call lab_option,out,OUT)

grade: lab_example = make grade LAB=4 DIR=student/
grade: lab-deps
	@$(call lab_needs,LAB DIR) $(lab_run) grader grade --lab $(call quoted,$(LAB)) --dir $(call quoted,$(DIR)) \
	    $(call lab_option,variant,VARIANT) $(call lab_option,out,OUT)

grade-all: lab_example = make grade-all LAB=4 DIRS='class/*'
grade-all: lab-deps
	@$(call lab_needs,LAB DIRS) $(lab_run) grader grade-all --lab $(call quoted,$(LAB)) --dirs $(call quoted,$(DIRS)) \
	    $(call lab_option,jobs,JOBS) $(call lab_option,variant,VARIANT) $(call lab_option,out,OUT)

gradescope: lab_example = make gradescope LAB=4
gradescope: lab-deps
	@$(call lab_needs,LAB) $(lab_run) grader gradescope --lab $(call quoted,$(LAB)) $(call lab_option,variant,VARIANT) \
	    $(call lab_option,out,OUT)

# LABS="1 4": those only; REPEAT=20: the reference so many times, the starter a quarter as often, each time the same.
lab-selftest: lab-deps
	@$(lab_run) selftest $(if $(LABS),--labs $(call quoted_each,$(LABS))) $(call lab_option,repeat,REPEAT) $(ARGS)

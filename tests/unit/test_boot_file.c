/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that are none, and files that change while a VM has them.
 */
#include "vmm/boot_file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KERNEL_BYTES 10000u

struct file_lab {
    char folder[32];
    char path[64];
    struct boot_file file;
    struct error error;
};

static int lab_setup(void **state)
{
    struct file_lab *lab = calloc(1, sizeof(*lab));

    (void)snprintf(lab->folder, sizeof(lab->folder), "/tmp/boot-XXXXXX");
    *state = lab;
    if (mkdtemp(lab->folder) == NULL) {
        return -1;
    }
    (void)snprintf(lab->path, sizeof(lab->path), "%s/kernel", lab->folder);
    lab->file.fd = -1;
    return 0;
}

static int lab_teardown(void **state)
{
    struct file_lab *lab = *state;

    boot_file_close(&lab->file);
    (void)unlink(lab->path);
    (void)rmdir(lab->folder);
    free(lab);
    return 0;
}

static void write_kernel(const struct file_lab *lab, unsigned len_bytes)
{
    FILE *file = fopen(lab->path, "w");

    assert_non_null(file);
    for (unsigned i = 0; i < len_bytes; i++) {
        assert_int_not_equal(fputc((int)(i % 251), file), EOF);
    }
    assert_int_equal(fclose(file), 0);
}

static int open_kernel(struct file_lab *lab, const char *path)
{
    return boot_file_open(&lab->file, "kernel", path, &lab->error);
}

static void assert_says(const struct file_lab *lab, const char *part)
{
    assert_non_null(strstr(lab->error.text, "the kernel /"));
    assert_non_null(strstr(lab->error.text, part));
}

static void test_file_is_read_anywhere_within(void **state)
{
    struct file_lab *lab = *state;
    uint8_t bytes[KERNEL_BYTES];

    write_kernel(lab, KERNEL_BYTES);
    assert_int_equal(open_kernel(lab, lab->path), 0);
    assert_int_equal(lab->file.size_bytes, KERNEL_BYTES);
    assert_int_equal(boot_file_read(&lab->file, 0, bytes, KERNEL_BYTES, &lab->error), 0);
    assert_int_equal(bytes[9999], 9999 % 251);
    assert_int_equal(boot_file_read(&lab->file, 9000, bytes, 1000, &lab->error), 0);

    assert_int_equal(bytes[0], 9000 % 251);
    assert_int_equal(boot_file_read(&lab->file, KERNEL_BYTES, bytes, 0, &lab->error), 0);
}

static void test_file_is_not_read_beyond_its_end(void **state)
{
    struct file_lab *lab = *state;
    uint8_t byte;

    write_kernel(lab, KERNEL_BYTES);
    assert_int_equal(open_kernel(lab, lab->path), 0);

    assert_int_equal(boot_file_read(&lab->file, KERNEL_BYTES, &byte, 1, &lab->error), -EINVAL);
    assert_int_equal(boot_file_read(&lab->file, UINT64_MAX, &byte, 1, &lab->error), -EINVAL);
    assert_int_equal(boot_file_read(&lab->file, 1, &byte, UINT64_MAX, &lab->error), -EINVAL);
    assert_says(lab, "is cut off");
}

static void test_file_that_shrinks_after_it_was_opened_is_an_error(void **state)
{
    struct file_lab *lab = *state;
    uint8_t bytes[KERNEL_BYTES];

    write_kernel(lab, KERNEL_BYTES);
    assert_int_equal(open_kernel(lab, lab->path), 0);
    assert_int_equal(truncate(lab->path, 5000), 0);

    assert_int_equal(boot_file_read(&lab->file, 0, bytes, KERNEL_BYTES, &lab->error), -EINVAL);
    assert_says(lab, "has become shorter since it was opened");
}

static void test_file_that_was_replaced_is_still_the_old_one(void **state)
{
    struct file_lab *lab = *state;
    uint8_t bytes[KERNEL_BYTES];

    write_kernel(lab, KERNEL_BYTES);
    assert_int_equal(open_kernel(lab, lab->path), 0);
    assert_int_equal(unlink(lab->path), 0);
    write_kernel(lab, 10);

    assert_int_equal(boot_file_read(&lab->file, 0, bytes, KERNEL_BYTES, &lab->error), 0);
    assert_int_equal(bytes[9999], 9999 % 251);
}

static void test_file_that_is_missing_or_none_is_refused(void **state)
{
    struct file_lab *lab = *state;

    assert_int_equal(open_kernel(lab, lab->path), -ENOENT);
    assert_says(lab, "cannot be opened: No such file or directory");
    assert_int_equal(open_kernel(lab, lab->folder), -EINVAL);
    assert_says(lab, "is a directory: give a file");
    boot_file_close(&lab->file);
    assert_int_equal(open_kernel(lab, "/dev/zero"), -EINVAL);
    assert_says(lab, "is a device: give a file");
}

static void test_file_that_is_a_pipe_is_refused_without_waiting(void **state)
{
    struct file_lab *lab = *state;

    assert_int_equal(mkfifo(lab->path, 0600), 0);

    assert_int_equal(open_kernel(lab, lab->path), -EINVAL);
    assert_says(lab, "is a pipe: give a file");
}

static void test_file_that_is_empty_is_refused(void **state)
{
    struct file_lab *lab = *state;

    write_kernel(lab, 0);

    assert_int_equal(open_kernel(lab, lab->path), -EINVAL);
    assert_says(lab, "is empty");
}

static void test_file_that_may_not_be_read_is_refused(void **state)
{
    struct file_lab *lab = *state;

    write_kernel(lab, 1);
    assert_int_equal(chmod(lab->path, 0), 0);
    assert_int_equal(chmod(lab->folder, 0755), 0);
    if (geteuid() == 0 && seteuid(65534) != 0) {
        print_message("# skip: root may read all, and cannot become another user\n");
        skip();
    }
    assert_int_equal(open_kernel(lab, lab->path), -EACCES);
    if (getuid() == 0) {
        assert_int_equal(seteuid(0), 0);
    }

    assert_says(lab, "cannot be opened: Permission denied");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_file_is_read_anywhere_within),
        TEST(test_file_is_not_read_beyond_its_end),
        TEST(test_file_that_shrinks_after_it_was_opened_is_an_error),
        TEST(test_file_that_was_replaced_is_still_the_old_one),
        TEST(test_file_that_is_missing_or_none_is_refused),
        TEST(test_file_that_is_a_pipe_is_refused_without_waiting),
        TEST(test_file_that_is_empty_is_refused),
        TEST(test_file_that_may_not_be_read_is_refused),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}

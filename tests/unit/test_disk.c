/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which images are disks, and who may have them.
 */
#include "vmm/disk.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct disk_lab {
    char image[64];
    struct disk one, two;
    struct error error;
};

static int lab_setup(void **state)
{
    struct disk_lab *lab = calloc(1, sizeof(*lab));
    int fd;

    snprintf(lab->image, sizeof(lab->image), "/tmp/test_disk.XXXXXX");
    fd = mkstemp(lab->image);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    close(fd);
    lab->one.fd = -1;
    lab->two.fd = -1;
    *state = lab;
    return 0;
}

static int lab_teardown(void **state)
{
    struct disk_lab *lab = *state;

    disk_close(&lab->one);
    disk_close(&lab->two);
    (void)remove(lab->image);
    free(lab);
    return 0;
}

static void assert_refused(struct disk_lab *lab, const char *path, int code)
{
    lab->error.text[0] = '\0';
    assert_int_equal(disk_open(&lab->two, path, false, &lab->error), -code);
    assert_non_null(strstr(lab->error.text, path));
    disk_close(&lab->two);
}

static void test_disk_has_the_sectors_of_its_file(void **state)
{
    struct disk_lab *lab = *state;

    assert_int_equal(disk_open(&lab->one, lab->image, false, &lab->error), 0);

    assert_int_equal(lab->one.sectors, 2048);
    assert_true(disk_has(&lab->one, 0, 2048));
    assert_true(disk_has(&lab->one, 2048, 0));
    assert_false(disk_has(&lab->one, 2048, 1));
    assert_false(disk_has(&lab->one, 1, UINT64_MAX));
    assert_false(disk_has(&lab->one, UINT64_MAX, 1));
}

static void test_disk_of_one_vm_is_refused_to_another(void **state)
{
    struct disk_lab *lab = *state;

    assert_int_equal(disk_open(&lab->one, lab->image, false, &lab->error), 0);
    assert_refused(lab, lab->image, EBUSY);
    assert_int_equal(disk_open(&lab->two, lab->image, true, &lab->error), -EBUSY);
    disk_close(&lab->two);
    disk_close(&lab->one);

    assert_int_equal(disk_open(&lab->two, lab->image, false, &lab->error), 0);
}

static void test_disk_may_be_read_by_several(void **state)
{
    struct disk_lab *lab = *state;

    assert_int_equal(disk_open(&lab->one, lab->image, true, &lab->error), 0);
    assert_int_equal(disk_open(&lab->two, lab->image, true, &lab->error), 0);
    disk_close(&lab->two);

    assert_refused(lab, lab->image, EBUSY);
}

static void test_disk_of_no_whole_sectors_is_refused(void **state)
{
    struct disk_lab *lab = *state;

    assert_int_equal(truncate(lab->image, 1000), 0);
    assert_refused(lab, lab->image, EINVAL);
    assert_int_equal(truncate(lab->image, 0), 0);

    assert_refused(lab, lab->image, EINVAL);
}

static void test_disk_that_is_no_image_is_refused(void **state)
{
    struct disk_lab *lab = *state;

    assert_refused(lab, "/nowhere/disk", ENOENT);
    assert_refused(lab, "/dev/null", EINVAL);
    assert_refused(lab, "/tmp", EISDIR);
    unlink(lab->image);
    assert_int_equal(mkfifo(lab->image, 0600), 0);

    assert_refused(lab, lab->image, EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
        TEST(test_disk_has_the_sectors_of_its_file),
        TEST(test_disk_of_one_vm_is_refused_to_another),
        TEST(test_disk_may_be_read_by_several),
        TEST(test_disk_of_no_whole_sectors_is_refused),
        TEST(test_disk_that_is_no_image_is_refused),
#undef TEST
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

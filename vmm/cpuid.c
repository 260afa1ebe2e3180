/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two tables decide: which leaves a guest gets at all, and of the words that are lists of features,
 * which bits at which level.  A leaf that neither names is not passed on, so what KVM learns to
 * support tomorrow stays hidden until somebody has thought about it; a feature bit is passed on by
 * "host", which is what that is for.
 *
 * What a kernel defends itself with (SMEP, SMAP, UMIP, speculation controls) and what KVM itself
 * makes (x2APIC, TSC deadline) is in every level: no program chooses its code by those.
 */
#include "vmm/cpuid.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>

#define BIT(n) (UINT32_C(1) << (n))

#define LEAF_EXTENDED  0x80000000u
#define LEAF_KVM       0x40000000u

#define FEATURE_HTT          BIT(28)    /* 1.edx */
#define FEATURE_CMP_LEGACY   BIT(1)     /* 80000001.ecx */
#define FEATURE_X2APIC       BIT(21)    /* 1.ecx */
#define FEATURE_TSC_DEADLINE BIT(24)
#define FEATURE_HYPERVISOR   BIT(31)

enum word_register { EAX, EBX, ECX, EDX };

/* ---- features -------------------------------------------------------------------------------- */

/* A word of features: what nobody gets, what everybody gets, and what each level has and needs. */
struct feature_word {
    uint32_t function, index;
    enum word_register at;
    uint32_t hidden;               /* of the host or the machine that this VM has not */
    uint32_t base;
    uint32_t level[CPU_MODEL_COUNT];   /* what it adds to the one below */
};

static const struct feature_word words[] = {
    { 0x1, 0, ECX,
      /* DTES64 MONITOR DS_CPL VMX SMX EST TM2 SDBG xTPR PDCM DCA OSXSAVE (KVM sets that one) */
      .hidden = BIT(2) | BIT(3) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(14) |
                BIT(15) | BIT(18) | BIT(27),
      .base = FEATURE_X2APIC | FEATURE_TSC_DEADLINE | FEATURE_HYPERVISOR,
      /* SSE3 SSSE3 CMPXCHG16B SSE4.1 SSE4.2 POPCNT; FMA MOVBE XSAVE AVX F16C */
      .level = { [CPU_V2] = BIT(0) | BIT(9) | BIT(13) | BIT(19) | BIT(20) | BIT(23),
                 [CPU_V3] = BIT(12) | BIT(22) | BIT(26) | BIT(28) | BIT(29) } },
    { 0x1, 0, EDX,
      /* PSN DS ACPI HTT (by topology) TM PBE */
      .hidden = BIT(18) | BIT(21) | BIT(22) | FEATURE_HTT | BIT(29) | BIT(31),
      .base = 0x0f8bfbff },        /* all of x86-64's baseline */
    { 0x7, 0, EBX,
      /* SGX PQM PQE PT */
      .hidden = BIT(2) | BIT(12) | BIT(15) | BIT(25),
      .base = BIT(1) | BIT(7) | BIT(20),             /* TSC_ADJUST SMEP SMAP */
      /* BMI1 AVX2 BMI2; AVX512 F DQ CD BW VL */
      .level = { [CPU_V3] = BIT(3) | BIT(5) | BIT(8),
                 [CPU_V4] = BIT(16) | BIT(17) | BIT(28) | BIT(30) | BIT(31) } },
    { 0x7, 0, ECX,
      /* TME KL BUS_LOCK_DETECT ENQCMD SGX_LC */
      .hidden = BIT(13) | BIT(23) | BIT(24) | BIT(29) | BIT(30),
      .base = BIT(2) },                              /* UMIP */
    { 0x7, 0, EDX,
      /* UINTR HYBRID PCONFIG ARCH_LBR */
      .hidden = BIT(5) | BIT(15) | BIT(18) | BIT(19),
      /* MD_CLEAR SPEC_CTRL STIBP FLUSH_L1D ARCH_CAPABILITIES SSBD */
      .base = BIT(10) | BIT(26) | BIT(27) | BIT(28) | BIT(29) | BIT(31) },
    { 0x7, 1, EAX, .hidden = 0, .base = 0 },
    { 0x7, 1, EBX, .hidden = 0, .base = 0 },
    { 0x7, 1, ECX, .hidden = 0, .base = 0 },
    { 0x7, 1, EDX, .hidden = 0, .base = 0 },
    /* PSFD IPRED_CTRL RRSBA_CTRL DDPD_U BHI_CTRL MCDT_NO */
    { 0x7, 2, EDX, .hidden = 0, .base = 0x3f },
    { 0xd, 1, EAX, .hidden = 0, .base = 0 },         /* XSAVEOPT XSAVEC XSAVES ... */
    { 0xd, 1, ECX, .hidden = 0, .base = 0 },
    { 0xd, 1, EDX, .hidden = 0, .base = 0 },
    { 0x40000001, 0, EAX,
      /* MSI_EXT_DEST_ID HC_MAP_GPA_RANGE MIGRATION_CONTROL: this monitor's to do, not done */
      .hidden = BIT(15) | BIT(16) | BIT(17),
      .base = UINT32_MAX },
    { 0x80000001, 0, ECX,
      /* CMP_LEGACY (by topology) SVM EXTAPIC OSVW IBS SKINIT WDT LWP NODEID PERFCTR PTSC MWAITX */
      .hidden = FEATURE_CMP_LEGACY | BIT(2) | BIT(3) | BIT(9) | BIT(10) | BIT(12) | BIT(13) |
                BIT(15) | BIT(19) | BIT(23) | BIT(24) | BIT(26) | BIT(27) | BIT(28) | BIT(29),
      .base = BIT(4) | BIT(22),                      /* CR8_LEGACY TOPOEXT */
      .level = { [CPU_V2] = BIT(0), [CPU_V3] = BIT(5) } },     /* LAHF_SAHF; LZCNT */
    { 0x80000001, 0, EDX, .hidden = 0,
      .base = 0x0183fbff | BIT(11) | BIT(20) | BIT(29) },      /* SYSCALL NX LM, leaf 1 again */
    { 0x80000007, 0, EDX, .hidden = ~BIT(8), .base = 0 },      /* invariant TSC: of this host */
    { 0x80000008, 0, EBX, .hidden = 0,
      /* IBPB IBRS STIBP and their kinds, SSBD and its kinds, PSFD BTC_NO */
      .base = BIT(12) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(18) | BIT(19) | BIT(24) |
              BIT(25) | BIT(26) | BIT(28) | BIT(29) },
};
#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

/* What XSAVE may save at each level: x87, SSE; AVX; AVX-512.  Intel SDM 1, 13.1. */
static const uint32_t xsave_parts[CPU_MODEL_COUNT] = {
    [CPU_HOST] = UINT32_MAX, [CPU_V2] = 0, [CPU_V3] = 0x7, [CPU_V4] = 0xe7,
};
#define XSAVE_LEGACY_BYTES 576u    /* legacy area and header */

static uint32_t *word_of(struct kvm_cpuid_entry2 *entry, enum word_register at)
{
    uint32_t *const word[] = { &entry->eax, &entry->ebx, &entry->ecx, &entry->edx };

    return word[at];
}

/* All bits of a word that @p model has. */
static uint32_t word_bits(const struct feature_word *word, enum cpu_model model)
{
    uint32_t bits = model == CPU_HOST ? UINT32_MAX : word->base;

    for (unsigned level = CPU_V2; level <= (unsigned)model; level++) {
        bits |= word->level[level];
    }
    return bits & ~word->hidden;
}

static void filter_features(struct kvm_cpuid_entry2 *entry, enum cpu_model model)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (words[i].function == entry->function && words[i].index == entry->index) {
            *word_of(entry, words[i].at) &= word_bits(&words[i], model);
        }
    }
}

static bool has_level(const struct cpuid_table *supported, enum cpu_model model)
{
    for (size_t i = 0; i < WORD_COUNT; i++) {
        const struct feature_word *word = &words[i];
        const uint32_t needed = word_bits(word, model) & ~word->base;
        uint32_t found = 0;

        for (uint32_t j = 0; j < supported->count; j++) {
            struct kvm_cpuid_entry2 entry = supported->entry[j];

            if (entry.function == word->function && entry.index == word->index) {
                found = *word_of(&entry, word->at);
            }
        }
        if ((found & needed) != needed) {
            return false;
        }
    }
    return true;
}

/* ---- leaves ---------------------------------------------------------------------------------- */

/* The leaves that are passed on, changed where below says so; 0xb and 0x1f are made. */
static const uint32_t kept[] = {
    0x0, 0x1, 0x2, 0x4, 0x6, 0x7, 0xd, 0x1d, 0x1e, 0x24,
    0x40000000, 0x40000001,
    0x80000000, 0x80000001, 0x80000002, 0x80000003, 0x80000004, 0x80000005, 0x80000006,
    0x80000007, 0x80000008, 0x80000019, 0x8000001a, 0x8000001d, 0x8000001e, 0x80000021,
};

static bool is_kept(const struct kvm_cpuid_entry2 *entry, enum cpu_model model)
{
    if (model != CPU_HOST && (entry->function == 0x1d || entry->function == 0x1e ||
                              entry->function == 0x24)) {
        return false;              /* AMX, AVX10 */
    }
    if (entry->function == 0xd && xsave_parts[model] == 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (kept[i] == entry->function) {
            return true;
        }
    }
    return false;
}

/* Bits of an APIC id that tell @p cpus apart. */
static uint32_t id_bits(unsigned cpus)
{
    uint32_t bits = 0;

    while ((1u << bits) < cpus) {
        bits++;
    }
    return bits;
}

/* Sizes are the host's, for programs that copy by them; the last level is all vCPUs', the others
 * are each one's own.  Intel's leaf 4 and AMD's 0x8000001d have the same layout. */
static void set_cache(struct kvm_cpuid_entry2 *entry, unsigned cpus)
{
    const uint32_t others = (1u << id_bits(cpus)) - 1;
    const uint32_t level = entry->eax >> 5 & 7;

    entry->eax &= 0x3fff;
    if (entry->eax == 0) {
        return;                    /* the end of the list */
    }
    entry->eax |= level >= 3 ? others << 14 : 0;
    if (entry->function == 0x4) {
        entry->eax |= (others < 63 ? others : 63) << 26;
    }
}

static void set_xsave(const struct cpuid_table *supported, struct kvm_cpuid_entry2 *entry,
                      enum cpu_model model)
{
    uint32_t size_bytes = XSAVE_LEGACY_BYTES;

    if (entry->index != 0 || model == CPU_HOST) {
        return;
    }
    entry->eax &= xsave_parts[model];
    entry->edx = 0;
    for (uint32_t i = 0; i < supported->count; i++) {
        const struct kvm_cpuid_entry2 *part = &supported->entry[i];

        if (part->function == 0xd && part->index >= 2 && part->index < 32 &&
            (entry->eax & BIT(part->index)) != 0 && part->ebx + part->eax > size_bytes) {
            size_bytes = part->ebx + part->eax;
        }
    }
    entry->ebx = entry->ecx = size_bytes;
}

/* A name for the levels; "host" has the host's. */
static void set_name(struct kvm_cpuid_entry2 *entry, enum cpu_model model)
{
    static const char name[CPU_MODEL_COUNT][48] = {
        [CPU_V2] = "Virtual processor, x86-64-v2",
        [CPU_V3] = "Virtual processor, x86-64-v3",
        [CPU_V4] = "Virtual processor, x86-64-v4",
    };
    const char *part = name[model] + (entry->function - 0x80000002u) * 16;

    if (model != CPU_HOST) {
        memcpy(&entry->eax, part, 4);
        memcpy(&entry->ebx, part + 4, 4);
        memcpy(&entry->ecx, part + 8, 4);
        memcpy(&entry->edx, part + 12, 4);
    }
}

/* Of leaf 0xd's parts, those that the level has not. */
static bool is_hidden_part(const struct kvm_cpuid_entry2 *entry, enum cpu_model model)
{
    return entry->function == 0xd && entry->index >= 2 && model != CPU_HOST &&
           (entry->index >= 32 || (xsave_parts[model] & BIT(entry->index)) == 0);
}

/* What a leaf says of the machine, for a machine of @p cpus. */
static void set_machine(const struct cpuid_table *supported, struct kvm_cpuid_entry2 *entry,
                        enum cpu_model model, unsigned cpus)
{
    const uint32_t bits = id_bits(cpus);

    switch (entry->function) {
    case 0x1:
        entry->ebx = (entry->ebx & 0xff00) | (cpus > 1 ? 1u << bits << 16 : 0);
        entry->ecx |= FEATURE_HYPERVISOR;
        entry->edx |= cpus > 1 ? FEATURE_HTT : 0;
        break;
    case 0x2:
        entry->eax = entry->eax == 0 ? 0 : 0xff01;   /* "see leaf 4" */
        entry->ebx = entry->ecx = entry->edx = 0;
        break;
    case 0x4:
    case 0x8000001d:
        set_cache(entry, cpus);
        break;
    case 0x6:
        entry->eax &= BIT(2);                        /* ARAT: the APIC's timer does not stop */
        entry->ebx = entry->ecx = entry->edx = 0;
        break;
    case 0xd:
        set_xsave(supported, entry, model);
        break;
    case LEAF_KVM:
        entry->eax = LEAF_KVM + 1;
        break;
    case 0x80000001:
        entry->ebx = 0;
        entry->ecx |= cpus > 1 ? FEATURE_CMP_LEGACY : 0;
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        set_name(entry, model);
        break;
    case 0x80000007:
        entry->eax = entry->ebx = entry->ecx = 0;
        break;
    case 0x80000008:
        entry->eax = model == CPU_HOST ? entry->eax & 0xffff : (entry->eax & 0xff) | 48u << 8;
        entry->ecx = bits << 12 | (cpus - 1);
        entry->edx = 0;
        break;
    case 0x8000001e:
        entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
        break;
    default:
        break;
    }
}

static int append(struct cpuid_table *table, const struct kvm_cpuid_entry2 *entry,
                  struct error *error)
{
    if (table->count == CPUID_ENTRIES_MAX) {
        return error_set(error, EINVAL, "KVM describes this processor in more than %u entries: "
                         "that is more than this monitor knows", CPUID_ENTRIES_MAX);
    }
    table->entry[table->count++] = *entry;
    return 0;
}

/* Topology: one thread a core, all cores in one package.  Intel SDM 2A, CPUID leaf 0xb. */
static int append_topology(struct cpuid_table *table, uint32_t function, unsigned cpus,
                           struct error *error)
{
    const uint32_t thread = 1 << 8, core = 2 << 8;
    const struct kvm_cpuid_entry2 levels[] = {
        { .function = function, .index = 0, .ebx = 1, .ecx = thread | 0 },
        { .function = function, .index = 1, .eax = id_bits(cpus), .ebx = cpus, .ecx = core | 1 },
        { .function = function, .index = 2, .ecx = 2 },
    };
    int result = 0;

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]) && result == 0; i++) {
        struct kvm_cpuid_entry2 level = levels[i];

        level.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
        result = append(table, &level, error);
    }
    return result;
}

/* Leaves 0 and 0x80000000 say which is the last. */
static void set_last_leaves(struct cpuid_table *table)
{
    uint32_t last = 0, last_extended = LEAF_EXTENDED;

    for (uint32_t i = 0; i < table->count; i++) {
        const uint32_t function = table->entry[i].function;

        if (function < LEAF_KVM && function > last) {
            last = function;
        } else if (function > last_extended) {
            last_extended = function;
        }
    }
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->entry[i].function == 0) {
            table->entry[i].eax = last;
        } else if (table->entry[i].function == LEAF_EXTENDED) {
            table->entry[i].eax = last_extended;
        }
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static const char *const model_word[CPU_MODEL_COUNT] = {
    [CPU_HOST] = "host", [CPU_V2] = "v2", [CPU_V3] = "v3", [CPU_V4] = "v4",
};

enum cpu_model cpu_model_of(const char *word)
{
    unsigned model = 0;

    while (model < CPU_MODEL_COUNT && strcmp(word, model_word[model]) != 0) {
        model++;
    }
    return (enum cpu_model)model;
}

static int refuse_level(const struct cpuid_table *supported, enum cpu_model wanted,
                        struct error *error)
{
    for (unsigned model = wanted - 1; model >= CPU_V2; model--) {
        if (has_level(supported, (enum cpu_model)model)) {
            return error_set(error, EINVAL,
                             "this host's processor is no x86-64-%s: it is %s, use that or host",
                             model_word[wanted], model_word[model]);
        }
    }
    return error_set(error, EINVAL,
                     "this host's KVM does not offer all of x86-64-%s%s: use host",
                     model_word[wanted], wanted > CPU_V2 ? ", nor of v2" : "");
}

int cpuid_make(const struct cpuid_table *supported, enum cpu_model model, unsigned cpus,
               struct cpuid_table *table, struct error *error)
{
    bool has_packages = false;
    int result = 0;

    table->count = 0;
    if (model != CPU_HOST && !has_level(supported, model)) {
        return refuse_level(supported, model, error);
    }
    for (uint32_t i = 0; i < supported->count && result == 0; i++) {
        struct kvm_cpuid_entry2 entry = supported->entry[i];

        has_packages = has_packages || (entry.function == 0 && entry.eax >= 0x1f);
        if (is_kept(&entry, model) && !is_hidden_part(&entry, model)) {
            filter_features(&entry, model);
            set_machine(supported, &entry, model, cpus);
            result = append(table, &entry, error);
        }
    }
    if (result == 0) {
        result = append_topology(table, 0xb, cpus, error);
    }
    if (result == 0 && has_packages) {
        result = append_topology(table, 0x1f, cpus, error);
    }
    set_last_leaves(table);
    return result;
}

void cpuid_for(const struct cpuid_table *table, unsigned index, struct cpuid_table *own)
{
    *own = *table;
    for (uint32_t i = 0; i < own->count; i++) {
        struct kvm_cpuid_entry2 *entry = &own->entry[i];

        switch (entry->function) {
        case 0x1:
            entry->ebx = (entry->ebx & 0x00ffffff) | index << 24;
            break;
        case 0xb:
        case 0x1f:
            entry->edx = index;
            break;
        case 0x8000001e:
            entry->eax = index;
            entry->ebx = index;
            break;
        default:
            break;
        }
    }
}

int cpuid_ask(int kvm_fd, struct cpuid_table *supported, struct error *error)
{
    union {
        struct kvm_cpuid2 cpuid;
        uint8_t room[sizeof(struct kvm_cpuid2) +
                     CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2)];
    } answer = { .cpuid.nent = CPUID_ENTRIES_MAX };
    uint32_t made = FEATURE_X2APIC;

    if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, &answer) != 0) {
        return error_set(error, errno, "KVM does not say what processor it offers: %s",
                         strerror(errno));
    }
    if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0) {
        made |= FEATURE_TSC_DEADLINE;
    }
    supported->count = answer.cpuid.nent;
    memcpy(supported->entry, answer.cpuid.entries,
           answer.cpuid.nent * sizeof(answer.cpuid.entries[0]));
    for (uint32_t i = 0; i < supported->count; i++) {
        if (supported->entry[i].function == 0x1) {
            supported->entry[i].ecx |= made;
        }
    }
    return 0;
}

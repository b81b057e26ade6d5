/* AWS's partitions; see partition.h. The names are those of the SDKs' partitions.json. */
#include "s3/partition.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

static const struct s3_partition partitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"us-gov-", "amazonaws.com", "api.aws"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov"},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud"},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
    {"", "amazonaws.com", "api.aws"},
};

const struct s3_partition *s3_partition_of(const char *region) {
    size_t i = 0;
    while (strncasecmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) != 0) i++;
    return &partitions[i];
}

int s3_partition_host(char *out, size_t size, const char *service, const char *region, struct s3_variant variant) {
    const struct s3_partition *partition = s3_partition_of(region);
    bool is_fips_itself = strncmp(region, "us-gov-", 7) == 0 && strcmp(service, "sts") == 0 && !variant.dual_stack;
    if (is_fips_itself) variant.fips = false;
    return text_format(out, size, "%s%s.%s.%s", service, variant.fips ? "-fips" : "", region,
                       variant.dual_stack ? partition->dual_stack : partition->suffix);
}

int s3_partition_s3_host(char *out, size_t size, const char *region, struct s3_variant variant) {
    return text_format(out, size, "s3%s%s.%s.%s", variant.fips ? "-fips" : "", variant.dual_stack ? ".dualstack" : "",
                       region, s3_partition_of(region)->suffix);
}

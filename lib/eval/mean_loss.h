/* mean_loss.h - the mean of records' losses, and how far off it may be.
 *
 * Records of one commit are alike: they differ less from each other than
 * from those of other commits, so they do not count as so many records. What
 * is independent is the cluster: a commit, a document, a conversation. The
 * mean is over tokens, m = S / N with the sums S of losses and N of tokens; a
 * cluster has S_g and N_g of them. Its variance is the jackknife's, from the
 * means m_g of all clusters but one:
 *
 *     var = (G-1)/G * sum_g (m_g - m)^2,  m_g = (S - S_g) / (N - N_g)
 *     half = t * sqrt(var),  t Student's for 95% and G-1 degrees of freedom
 *
 * with G clusters. m_g - m is -(S_g - m N_g) / (N - N_g), so where the
 * clusters are equally large, this is the sandwich of the ratio estimator
 * (Cochran, Sampling Techniques, 3rd ed., 6.3) with its factor G/(G-1). Where
 * they are not, the sandwich is too small, because a large cluster draws the
 * mean to itself; dividing by N - N_g makes up for it (CR3 in Cameron and
 * Miller, A Practitioner's Guide to Cluster-Robust Inference, J. Human
 * Resources 50, 2015, VI; there, too, why t). tests/unit/mean_loss.c measures
 * how often the intervals hold the truth.
 *
 * Limits: clusters are taken as independent of each other. With few of them,
 * or one that holds most tokens, the interval is still too narrow.
 */
#ifndef EVAL_MEAN_LOSS_H
#define EVAL_MEAN_LOSS_H

#include <stdint.h>

/* A record's losses, in nats, and how many of its tokens had one. */
struct record_loss {
    double sum;
    uint64_t n;
};

/* clusters and records are those that have a token with a loss. */
struct mean_loss {
    double mean, half;
    uint64_t tokens, records, clusters;
};

/* The mean over the tokens of n records and half the width of its 95%
 * confidence interval. cluster[i] < n is the number of record i's cluster;
 * NULL: each record is its own. mean is NAN without a token, half with less
 * than two clusters. */
struct mean_loss mean_of(const struct record_loss *r, const uint32_t *cluster,
                         uint64_t n);

/* The same for the difference a - b of two models on the same records. */
struct mean_loss mean_difference(const struct record_loss *a,
                                 const struct record_loss *b,
                                 const uint32_t *cluster, uint64_t n);

/* What was seen of shares, and where that of all may lie. */
struct share {
    struct mean_loss seen; /* half: from mean to the farther of the ends */
    double low, high;      /* NAN with less than two clusters */
};

/* The same where no sum of a record is below 0 or above its n, as of prompts
 * that pass so many times of n. Where all that was seen is alike, three prompts
 * that failed, say, mean_of's interval has no width, and where nearly all is,
 * it seldom holds the truth. So four clusters of the mean size count, too, two
 * of which are 0 and two 1 throughout (Agresti and Coull, Approximate is better
 * than "exact", Am. Statistician 52, 1998, who add two successes and two
 * failures); the interval is about the mean of all of these. */
struct share share_mean(const struct record_loss *r, const uint32_t *cluster,
                        uint64_t n);

/* The same for the difference a - b of such: two clusters count, too, one of
 * which is gained throughout and one lost (Bonett and Price, Adjusted Wald
 * confidence interval for a difference of binomial proportions based on paired
 * data, J. Educ. Behav. Statistics 37, 2012). */
struct share share_difference(const struct record_loss *a,
                              const struct record_loss *b,
                              const uint32_t *cluster, uint64_t n);

#endif

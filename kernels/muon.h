/* muon.h - the constants of MUON (kernels/ops.h): Keller Jordan's, as
 * torch.optim.Muon has them. */
#ifndef KERNELS_MUON_H
#define KERNELS_MUON_H

#define MUON_A 3.4445
#define MUON_B (-4.7750)
#define MUON_C 2.0315
#define MUON_EPS 1e-7
enum { MUON_STEPS = 5 };

#endif

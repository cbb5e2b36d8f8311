//! Student's t distribution: what the mean of a few values is worth.

/// The value that Student's t with so many degrees of freedom exceeds with this probability, which
/// is above 0 and at most 0.5. The degrees of freedom need not be whole: Welch's are not.
///
/// ```text
/// P(T > t) = ½ I(ν / (ν + t²); ν / 2, ½)
/// ```
///
/// falls with `t`, so the value is found by halving; I is the regularised incomplete beta function.
pub(super) fn upper_quantile(degrees: f64, probability: f64) -> f64 {
    let (mut low, mut high) = (0.0_f64, 1.0);
    while upper_tail(degrees, high) > probability && high < 1e12 {
        (low, high) = (high, 2.0 * high);
    }
    while high - low > 1e-12 * high {
        let middle = low.midpoint(high);
        if upper_tail(degrees, middle) > probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// The probability that Student's t is above `t`, which is not below 0.
fn upper_tail(degrees: f64, t: f64) -> f64 {
    0.5 * incomplete_beta(degrees / (degrees + t * t), degrees / 2.0, 0.5)
}

/// The regularised incomplete beta function, by its continued fraction (NIST's handbook, 8.17.22),
/// which converges fast for `x` below the mean; above it, the mirrored one does.
fn incomplete_beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - incomplete_beta(1.0 - x, b, a);
    }
    let front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    front.exp() * fraction(x, a, b) / a
}

/// The continued fraction by Lentz's method: numerator and denominator are kept away from 0.
fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away_from_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut below = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let (mut above, mut value) = (1.0, below);
    for step in 1..500 {
        let step = f64::from(step);
        let place = a + 2.0 * step;
        let even = step * (b - step) * x / ((place - 1.0) * place);
        let odd = -(a + step) * (a + b + step) * x / (place * (place + 1.0));
        let before = value;
        for coefficient in [even, odd] {
            below = 1.0 / away_from_zero(1.0 + coefficient * below);
            above = away_from_zero(1.0 + coefficient / above);
            value *= above * below;
        }
        if (value / before - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// The logarithm of the gamma function of a number above 0, by Stirling's series, which is exact
/// to the last digits from 10 on; below, by Γ(x) = Γ(x + 1) / x.
fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < 10.0 {
        below += x.ln();
        x += 1.0;
    }
    let square = x * x;
    let series = (1.0 / 12.0
        - (1.0 / 360.0
            - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square) / square)
            / square)
        / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - below
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NIST's table of critical values, and what is known in closed form.
    #[test]
    fn quantiles_of_the_table() {
        for (degrees, probability, expected) in [
            (1.0, 0.025, 12.706),
            (2.0, 0.025, 4.303),
            (3.0, 0.005, 5.841),
            (4.0, 0.025, 2.776),
            (8.0, 0.05, 1.860),
            (8.0, 0.001, 4.501),
            (10.0, 0.1, 1.372),
            (30.0, 0.025, 2.042),
            (100.0, 0.01, 2.364),
            (1e7, 0.025, 1.960),
        ] {
            let found = upper_quantile(degrees, probability);
            assert!(
                (found - expected).abs() < 0.0006,
                "{degrees} {probability}: {found}"
            );
        }
        for probability in [0.4, 0.1, 1e-3, 1e-6] {
            let cauchy = (std::f64::consts::PI * (0.5 - probability)).tan();
            let found = upper_quantile(1.0, probability);
            assert!((found / cauchy - 1.0).abs() < 1e-9, "{found} {cauchy}");
            // With two degrees of freedom: t = (1 − 2p) √(2 / (4p (1 − p))).
            let two = (1.0 - 2.0 * probability)
                * (2.0 / (4.0 * probability * (1.0 - probability))).sqrt();
            let found = upper_quantile(2.0, probability);
            assert!((found / two - 1.0).abs() < 1e-9, "{found} {two}");
        }
        assert!(upper_quantile(5.0, 0.5) < 1e-12);
    }

    #[test]
    fn gamma_of_whole_numbers_and_halves() {
        let mut factorial = 1.0_f64;
        for n in 1..20 {
            assert!((ln_gamma(f64::from(n)) - factorial.ln()).abs() < 1e-12);
            factorial *= f64::from(n);
        }
        assert!((ln_gamma(0.5) - std::f64::consts::PI.sqrt().ln()).abs() < 1e-13);
    }
}

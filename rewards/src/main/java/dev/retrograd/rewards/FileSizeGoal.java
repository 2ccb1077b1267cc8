package dev.retrograd.rewards;

/// Which way a file size is rewarded (DDPO, arXiv 2305.13301, §5.1).
public enum FileSizeGoal {
    SMALLER("compressibility", -1),
    LARGER("incompressibility", 1);

    private final String rewardName;
    private final int sign;

    FileSizeGoal(String rewardName, int sign) {
        this.rewardName = rewardName;
        this.sign = sign;
    }

    /// What `--reward` calls it.
    public String rewardName() {
        return rewardName;
    }

    /// The factor that makes a reward of kilobytes: −1 or 1.
    public int sign() {
        return sign;
    }
}

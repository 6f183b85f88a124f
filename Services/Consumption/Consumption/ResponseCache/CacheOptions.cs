using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.ResponseCache;

/// <summary>Section <c>ResponseCache</c>: bounds of what is kept for organisations that have switched their cache on.</summary>
internal sealed class CacheOptions
{
    /// <summary>Bytes of one answer; longer ones are not kept.</summary>
    [Range(1_024, 64 * 1024 * 1024, ErrorMessage = "ResponseCache:MaxAnswerBytes must lie between 1024 and 67108864.")]
    public int MaxAnswerBytes { get; set; } = 1024 * 1024;

    /// <summary>Bytes of all answers of an organisation, compressed. Beyond it the oldest are removed.</summary>
    [Range(1_024, 1_000_000_000_000, ErrorMessage = "ResponseCache:MaxOrganisationBytes must lie between 1024 and 1000000000000.")]
    public long MaxOrganisationBytes { get; set; } = 256 * 1024 * 1024;

    /// <summary>Answers of an organisation. Beyond it the oldest are removed.</summary>
    [Range(1, 10_000_000, ErrorMessage = "ResponseCache:MaxOrganisationAnswers must lie between 1 and 10000000.")]
    public int MaxOrganisationAnswers { get; set; } = 100_000;

    /// <summary>Answers of this instance that wait to be written. Beyond it new ones are not kept, and counted as dropped.</summary>
    [Range(1, 10_000, ErrorMessage = "ResponseCache:MaxWaiting must lie between 1 and 10000.")]
    public int MaxWaiting { get; set; } = 64;

    /// <summary>How long a call waits for a look into the cache before it goes to the provider.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:10", ErrorMessage = "ResponseCache:LookFor must lie between 00:00:00.010 and 00:00:10.")]
    public TimeSpan LookFor { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long calls do without the cache after a look into it failed or took too long; then one call looks again.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00", ErrorMessage = "ResponseCache:PauseFor must lie between 00:00:00.010 and 00:10:00.")]
    public TimeSpan PauseFor { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often what is too much or too old is removed.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00", ErrorMessage = "ResponseCache:TidyEvery must lie between 00:00:00.100 and 01:00:00.")]
    public TimeSpan TidyEvery { get; set; } = TimeSpan.FromSeconds(10);
}

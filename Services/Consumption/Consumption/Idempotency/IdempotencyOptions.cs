using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.Idempotency;

/// <summary>Section <c>Idempotency</c>: what is kept of answers to calls with an <c>Idempotency-Key</c>.</summary>
internal sealed class IdempotencyOptions
{
    /// <summary>How long an answer is kept, and its idempotency key stands.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "7.00:00:00", ErrorMessage = "Idempotency:KeptFor must lie between 00:01:00 and 7.00:00:00.")]
    public TimeSpan KeptFor { get; set; } = TimeSpan.FromHours(24);

    /// <summary>Bytes of one answer. Of a longer one only that it was complete is kept: a repeat is refused.</summary>
    [Range(1_024, 64 * 1024 * 1024, ErrorMessage = "Idempotency:MaxAnswerBytes must lie between 1024 and 67108864.")]
    public int MaxAnswerBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>Bytes of all answers of an organisation, compressed. Beyond it the oldest are given up: repeats of them are refused.</summary>
    [Range(1_024, 1_000_000_000_000, ErrorMessage = "Idempotency:MaxOrganisationBytes must lie between 1024 and 1000000000000.")]
    public long MaxOrganisationBytes { get; set; } = 256 * 1024 * 1024;

    /// <summary>Idempotency keys of an organisation that are remembered. Beyond it the oldest are forgotten: they are free again.</summary>
    [Range(10, 10_000_000, ErrorMessage = "Idempotency:MaxOrganisationKeys must lie between 10 and 10000000.")]
    public int MaxOrganisationKeys { get; set; } = 100_000;

    /// <summary>How often what is too much or too old is removed.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00", ErrorMessage = "Idempotency:TidyEvery must lie between 00:00:00.100 and 01:00:00.")]
    public TimeSpan TidyEvery { get; set; } = TimeSpan.FromSeconds(10);
}

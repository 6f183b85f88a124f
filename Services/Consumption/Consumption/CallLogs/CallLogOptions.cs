using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>Section <c>CallLogs</c>: bounds of what is logged for organisations that have switched logging on.</summary>
internal sealed class CallLogOptions
{
    /// <summary>Bytes of a request or an answer that are kept, redacted; the rest is cut off.</summary>
    public const int MaxBodyBytes = 64 * 1024;

    /// <summary>Bytes of a request or an answer that are read to be redacted. Of a longer one only its length is kept.</summary>
    [Range(1_024, 64 * 1024 * 1024, ErrorMessage = "CallLogs:MaxReadBytes must lie between 1024 and 67108864.")]
    public int MaxReadBytes { get; set; } = 4 * 1024 * 1024;

    /// <summary>Calls of this instance that wait to be written. Beyond it new ones are not logged, and counted as dropped.</summary>
    [Range(1, 100_000, ErrorMessage = "CallLogs:MaxWaiting must lie between 1 and 100000.")]
    public int MaxWaiting { get; set; } = 1_000;

    /// <summary>Bytes of their requests and answers. Beyond it new ones are not logged, and counted as dropped.</summary>
    [Range(1_024, 1024 * 1024 * 1024, ErrorMessage = "CallLogs:MaxWaitingBytes must lie between 1024 and 1073741824.")]
    public long MaxWaitingBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>How long an instance that stops goes on to write what waits; the rest is counted as dropped.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:01:00", ErrorMessage = "CallLogs:StopWithin must lie between 0 and 00:01:00.")]
    public TimeSpan StopWithin { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Bytes that are kept of an organisation, compressed. Beyond it the oldest are removed.</summary>
    [Range(1_024, 1_000_000_000_000, ErrorMessage = "CallLogs:MaxOrganisationBytes must lie between 1024 and 1000000000000.")]
    public long MaxOrganisationBytes { get; set; } = 1024 * 1024 * 1024;

    /// <summary>How often what is too much or too old is removed.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00", ErrorMessage = "CallLogs:TidyEvery must lie between 00:00:00.100 and 01:00:00.")]
    public TimeSpan TidyEvery { get; set; } = TimeSpan.FromMinutes(1);
}

using System.ComponentModel.DataAnnotations;

namespace LlmMarketplace.Consumption.Metering;

/// <summary>Section <c>Metering</c>.</summary>
internal sealed class MeteringOptions : IValidatableObject
{
    /// <summary>How often an instance says that it lives.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00", ErrorMessage = "Metering:Heartbeat must lie between 00:00:00.050 and 00:01:00.")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>How long an instance must have been silent before its open calls are settled as lost. It itself stops earlier: see <see cref="LeaseTime"/>.</summary>
    [Range(typeof(TimeSpan), "00:00:00.200", "01:00:00", ErrorMessage = "Metering:LostAfter must lie between 00:00:00.200 and 01:00:00.")]
    public TimeSpan LostAfter { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// The folder of the usage logs; each instance takes one of its own in it. It must outlive the process: what a process that died left there is shipped by the next start
    /// on it. Needed by processes that forward calls.
    /// </summary>
    public string LogDirectory { get; set; } = "";

    /// <summary>Megabytes of a segment of the log.</summary>
    [Range(1, 256, ErrorMessage = "Metering:LogSegmentMegabytes must lie between 1 and 256.")]
    public int LogSegmentMegabytes { get; set; } = 16;

    /// <summary>Megabytes of a log, at most: what it holds while the database is away. A call takes about 1 KB.</summary>
    [Range(4, 1_000_000, ErrorMessage = "Metering:LogMegabytes must lie between 4 and 1000000, and hold four segments at least.")]
    public int LogMegabytes { get; set; } = 1_024;

    /// <summary>How long a record waits in the log for company, at most, before it is shipped.</summary>
    [Range(typeof(TimeSpan), "00:00:00.005", "00:01:00", ErrorMessage = "Metering:ShipEvery must lie between 00:00:00.005 and 00:01:00.")]
    public TimeSpan ShipEvery { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Entries that are shipped together; a call has two.</summary>
    [Range(1, 5_000, ErrorMessage = "Metering:ShipBatch must lie between 1 and 5000.")]
    public int ShipBatch { get; set; } = 1_000;

    public long LogSegmentBytes => LogSegmentMegabytes * 1024L * 1024L;

    public int LogSegments => LogMegabytes / LogSegmentMegabytes;

    /// <summary>How long after its last sign of life an instance may go on: while it lasts, nobody takes it for dead.</summary>
    public TimeSpan LeaseTime => LostAfter * 0.6;

    /// <summary>A sign of life that took longer to arrive does not count: others may have seen it too late.</summary>
    public TimeSpan LongestBeat => LostAfter * 0.2;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (LogSegments < 4)
        {
            yield return new ValidationResult("Metering:LogMegabytes must hold four segments of Metering:LogSegmentMegabytes at least.");
        }

        if (Heartbeat > LeaseTime / 2)
        {
            yield return new ValidationResult("Metering:LostAfter must be four times Metering:Heartbeat at least.");
        }
    }
}

/// <summary>A process that forwards calls has to be told where its log lies.</summary>
internal sealed class ValidateLogDirectory : Microsoft.Extensions.Options.IValidateOptions<MeteringOptions>
{
    public Microsoft.Extensions.Options.ValidateOptionsResult Validate(string? name, MeteringOptions options) => options.LogDirectory.Length > 0
        ? Microsoft.Extensions.Options.ValidateOptionsResult.Success
        : Microsoft.Extensions.Options.ValidateOptionsResult.Fail("Metering:LogDirectory is missing: name a folder that outlives this process, where its usage log is kept.");
}

using LlmMarketplace.Consumption.Metering;

namespace LlmMarketplace.Consumption.CallLogs;

/// <summary>What of a call is to be logged.</summary>
/// <param name="Policy">By which setting.</param>
/// <param name="Request">Its body; null when it had none, or one too long to be read.</param>
/// <param name="RequestType">The media type of its body.</param>
/// <param name="RequestBytes">How long that is.</param>
internal sealed record CallToLog(LoggingPolicy Policy, byte[]? Request, string? RequestType, long RequestBytes);

/// <summary>A call that ended and waits to be logged.</summary>
/// <param name="Log">What was asked.</param>
/// <param name="Record">Its record.</param>
/// <param name="AnswerType">The media type of its answer; null: there is none.</param>
/// <param name="Answer">Its answer; null when it was too long to be read.</param>
/// <param name="Since">When it ended: timestamp of <see cref="TimeProvider"/>.</param>
internal sealed record EndedCall(CallToLog Log, UsageRecord Record, string? AnswerType, ReadOnlyMemory<byte>? Answer, long Since)
{
    public long Bytes => (Log.Request?.Length ?? 0) + (Answer?.Length ?? 0);
}

/// <summary>The same, redacted and encrypted.</summary>
/// <param name="Record">Its record.</param>
/// <param name="Bytes"><see cref="LoggedBodies"/>, by <see cref="Idempotency.AnswerProtector"/>.</param>
/// <param name="Since">When it ended.</param>
internal sealed record SealedCall(UsageRecord Record, byte[] Bytes, long Since);

using System.Collections.Frozen;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Publishing.Validation;

namespace LlmMarketplace.Publishing.Versions;

/// <summary>
/// The life of a version, in one table. <see cref="LifecycleTrigger"/> makes the database refuse the same.
/// <code>
/// draft → validating → (pending_approval →) active ⇄ suspended
///          ⇅               ↓                  ↓    ⇅      ↓
///     failed_validation  rejected          deprecated → retired
/// </code>
/// </summary>
internal static class VersionLifecycle
{
    private static readonly FrozenDictionary<VersionStatus, VersionStatus[]> Next = new Dictionary<VersionStatus, VersionStatus[]>
    {
        [VersionStatus.Draft] = [VersionStatus.Validating],
        [VersionStatus.Validating] = [VersionStatus.FailedValidation, VersionStatus.PendingApproval, VersionStatus.Active],
        [VersionStatus.FailedValidation] = [VersionStatus.Validating],
        [VersionStatus.PendingApproval] = [VersionStatus.Active, VersionStatus.Rejected],
        [VersionStatus.Rejected] = [],
        [VersionStatus.Active] = [VersionStatus.Deprecated, VersionStatus.Suspended],
        [VersionStatus.Deprecated] = [VersionStatus.Suspended, VersionStatus.Retired],
        [VersionStatus.Suspended] = [VersionStatus.Active, VersionStatus.Deprecated, VersionStatus.Retired],
        [VersionStatus.Retired] = [],
    }.ToFrozenDictionary();

    /// <summary>Statuses that others see: the version has left the provider's desk.</summary>
    public static FrozenSet<VersionStatus> LeftTheDesk { get; } = FrozenSet.Create(
        VersionStatus.PendingApproval, VersionStatus.Rejected, VersionStatus.Active, VersionStatus.Deprecated, VersionStatus.Suspended, VersionStatus.Retired);

    /// <summary>Statuses in which the provider may rewrite the declaration.</summary>
    public static FrozenSet<VersionStatus> Editable { get; } = FrozenSet.Create(VersionStatus.Draft, VersionStatus.FailedValidation);

    public static bool Allows(VersionStatus from, VersionStatus to) => Next[from].Contains(to);

    /// <summary>What a version in this status may become, for people.</summary>
    public static string Explain(VersionStatus from, VersionStatus to) =>
        $"A version that is {WireNames<VersionStatus>.Of(from)} cannot become {WireNames<VersionStatus>.Of(to)}; it can become "
        + (Next[from].Length == 0 ? "nothing else." : string.Join(" or ", Next[from].Select(WireNames<VersionStatus>.Of)) + ".");
}

using System.Diagnostics.CodeAnalysis;
using Semver;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>INVALID_VERSION_METADATA, DUPLICATE_VERSION, VERSION_NOT_INCREMENTED.</summary>
internal sealed class VersionRule : ISpecificationRule
{
    private const int MaxLength = 64;

    public Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken)
    {
        var at = root.At("version", default);
        if (!TryParse(subject.Version, out var version))
        {
            at.Report(IssueCodes.InvalidVersionMetadata, "The version must be SemVer 2.0.0 without build metadata, for instance 1.2.0 or 2.0.0-rc.1: versions that differ in build metadata alone have no order.");
            return Task.CompletedTask;
        }

        var others = subject.OtherVersions.Select(other => (Version: SemVersion.Parse(other.Version, SemVersionStyles.Strict, MaxLength), other.LeftTheDesk)).ToList();
        if (others.Any(other => other.Version.ComparePrecedenceTo(version) == 0))
        {
            at.Report(IssueCodes.DuplicateVersion, $"The listing already has a version {version}.");
        }
        else if (others.Where(other => other.LeftTheDesk).Select(other => other.Version).Max(SemVersion.PrecedenceComparer) is { } highest && highest.ComparePrecedenceTo(version) > 0)
        {
            at.Report(IssueCodes.VersionNotIncremented, $"The version must be above {highest}, the highest one that was published or waits for approval.");
        }

        return Task.CompletedTask;
    }

    public static bool TryParse(string? text, [NotNullWhen(true)] out SemVersion? version)
    {
        version = null;
        return text is { Length: <= MaxLength } && SemVersion.TryParse(text, SemVersionStyles.Strict, out version, MaxLength) && version.Metadata.Length == 0;
    }
}

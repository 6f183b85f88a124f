using LlmMarketplace.Entitlement;
using Semver;

namespace LlmMarketplace.Discovery.Indexing;

/// <summary>A version that stands for its listing, and before whom.</summary>
internal sealed record Face(VersionDocument Version, ClearanceLevel? ClearedFrom, ClearanceLevel? ClearedTo, bool ForOwner);

/// <summary>Chooses a listing's faces.</summary>
internal static class Faces
{
    /// <summary>
    /// For each clearance the best live version within it; for the owner the best live one, or else the newest of any state.
    /// Best is: active before deprecated, then by SemVer precedence (a release before its pre-releases). A higher clearance sees at least
    /// what a lower one sees, so the clearances of one face are always a range.
    /// </summary>
    public static IReadOnlyList<Face> Choose(IReadOnlyList<VersionDocument> versions)
    {
        var ordered = versions
            .OrderByDescending(v => v.Facts().State == VersionState.Active)
            .ThenByDescending(v => SemVersion.Parse(v.Version, SemVersionStyles.Strict), SemVersion.PrecedenceComparer)
            .ToList();
        var live = ordered.Where(v => v.Facts().Live).ToList();
        var owners = live.FirstOrDefault() ?? ordered.MaxBy(v => SemVersion.Parse(v.Version, SemVersionStyles.Strict), SemVersion.PrecedenceComparer);
        var faces = Enum.GetValues<ClearanceLevel>()
            .Select(clearance => (Clearance: clearance, Version: live.FirstOrDefault(v => v.Facts().Level <= clearance)))
            .Where(seen => seen.Version is not null)
            .GroupBy(seen => seen.Version!)
            .Select(group => new Face(group.Key, group.Min(seen => seen.Clearance), group.Max(seen => seen.Clearance), group.Key == owners))
            .ToList();
        if (owners is not null && faces.TrueForAll(face => !face.ForOwner))
        {
            faces.Add(new Face(owners, null, null, ForOwner: true));
        }

        return faces;
    }
}

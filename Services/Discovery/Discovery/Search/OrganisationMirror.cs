using System.Collections.Concurrent;
using LlmMarketplace.Discovery.Indexing;
using LlmMarketplace.Entitlement;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Discovery.Search;

/// <summary>All organisations, in memory: each request asks for its caller's, and each search for the providers'.</summary>
internal sealed class OrganisationMirror : TableMirror<OrganisationRow>
{
    private readonly ConcurrentDictionary<Guid, OrganisationRow> organisations = new();

    public override string Table => "organisations";

    public override string Columns => "organisation_id, slug, name, clearance, tier, active, version";

    public override OrganisationRow Read(NpgsqlDataReader reader) => new()
    {
        OrganisationId = reader.GetGuid(0),
        Slug = reader.GetString(1),
        Name = reader.GetString(2),
        Clearance = (ClearanceLevel)reader.GetInt32(3),
        Tier = reader.GetString(4),
        Active = reader.GetBoolean(5),
        Version = reader.GetInt64(6),
    };

    public override void Apply(IReadOnlyList<OrganisationRow> changed)
    {
        foreach (var row in changed)
        {
            organisations[row.OrganisationId] = row;
        }
    }

    public OrganisationRow? Find(Guid id) => organisations.GetValueOrDefault(id);

    /// <summary>Whether a provider may act. One that no event has told of yet may: Publishing took its listing from a valid token.</summary>
    public bool IsActive(Guid id) => Find(id) is not { Active: false };
}

using System.Text.Json;
using LlmMarketplace.ApiConventions;
using LlmMarketplace.Identity.Contracts;
using LlmMarketplace.Publishing.Contracts;
using LlmMarketplace.Storage;
using Npgsql;

namespace LlmMarketplace.Consumption.Catalogue;

/// <summary>All listings, in memory.</summary>
internal sealed class ListingMirror(Catalogue catalogue) : TableMirror<Listing>
{
    public override string Table => "listings";

    public override string Columns => "state";

    public override Listing Read(NpgsqlDataReader reader) => new(JsonSerializer.Deserialize<ListingChanged>(reader.GetString(0), Json.Options)!);

    public override void Apply(IReadOnlyList<Listing> changed) => catalogue.Apply(changed);
}

/// <summary>All organisations, in memory.</summary>
internal sealed class OrganisationMirror(Catalogue catalogue) : TableMirror<Organisation>
{
    public override string Table => "organisations";

    public override string Columns => "state";

    public override Organisation Read(NpgsqlDataReader reader)
    {
        var state = JsonSerializer.Deserialize<OrganisationChanged>(reader.GetString(0), Json.Options)!;
        return new Organisation(state.OrganisationId, state.Slug, state.Clearance, state.Tier, state.Status == OrganisationStatus.Active);
    }

    public override void Apply(IReadOnlyList<Organisation> changed) => catalogue.Apply(changed);
}

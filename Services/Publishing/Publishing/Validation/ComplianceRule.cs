using System.Collections.Frozen;
using System.Text.Json;

namespace LlmMarketplace.Publishing.Validation;

/// <summary>INVALID_COUNTRY_CODE, GDPR_REQUIRED.</summary>
internal sealed class ComplianceRule : ISpecificationRule
{
    /// <summary>The officially assigned codes of ISO 3166-1 alpha-2.</summary>
    private static readonly FrozenSet<string> Countries = (
        "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ " +
        "DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
        "KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM " +
        "PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ " +
        "UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW").Split(' ').ToFrozenSet();

    /// <summary>The European Economic Area: the European Union with Iceland, Liechtenstein and Norway.</summary>
    private static readonly FrozenSet<string> EuropeanEconomicArea =
        "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO".Split(' ').ToFrozenSet();

    public Task CheckAsync(ValidationSubject subject, Declaration declaration, Node root, CancellationToken cancellationToken)
    {
        var codes = new HashSet<string>();
        foreach (var country in declaration.Residency)
        {
            if (country.Element.ValueKind != JsonValueKind.String || !Countries.Contains(country.Element.GetString()!))
            {
                country.Report(IssueCodes.InvalidCountryCode, "It must be a country code of ISO 3166-1 alpha-2 in capitals, for instance DE.");
            }
            else if (!codes.Add(country.Element.GetString()!))
            {
                country.Report(IssueCodes.Duplicate, $"{country.Element.GetString()} stands here twice.");
            }
        }

        if (declaration.Gdpr == false && codes.Where(EuropeanEconomicArea.Contains).Order().ToList() is { Count: > 0 } european)
        {
            declaration.Compliance!.Value.At("gdpr", default).Report(IssueCodes.GdprRequired, $"Data kept in the European Economic Area ({string.Join(", ", european)}) needs a commitment to the GDPR.");
        }

        return Task.CompletedTask;
    }
}

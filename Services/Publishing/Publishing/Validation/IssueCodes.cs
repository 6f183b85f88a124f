namespace LlmMarketplace.Publishing.Validation;

/// <summary>Why a specification is refused. The codes in capitals stand in the specification of the product (section 3); the others are ordinary field errors.</summary>
internal static class IssueCodes
{
    public const string ServiceTooLarge = "SERVICE_TOO_LARGE";
    public const string InvalidVersionMetadata = "INVALID_VERSION_METADATA";
    public const string VersionNotIncremented = "VERSION_NOT_INCREMENTED";
    public const string DuplicateVersion = "DUPLICATE_VERSION";
    public const string InsecureEndpoint = "INSECURE_ENDPOINT";
    public const string ForbiddenEndpoint = "FORBIDDEN_ENDPOINT";
    public const string ProtocolMismatch = "PROTOCOL_MISMATCH";
    public const string InconsistentPricing = "INCONSISTENT_PRICING";
    public const string MissingPricingRates = "MISSING_PRICING_RATES";
    public const string NegativeRate = "NEGATIVE_RATE";
    public const string InvalidPricingUnit = "INVALID_PRICING_UNIT";
    public const string InvalidCountryCode = "INVALID_COUNTRY_CODE";
    public const string GdprRequired = "GDPR_REQUIRED";
    public const string InvalidOpenApi = "INVALID_OPENAPI";
    public const string InvalidParameterSchema = "INVALID_PARAMETER_SCHEMA";

    public const string Required = "required";
    public const string InvalidType = "invalid_type";
    public const string InvalidText = "invalid_text";
    public const string UnknownMember = "unknown_member";
    public const string UnknownValue = "unknown_value";
    public const string OutOfRange = "out_of_range";
    public const string TooLong = "too_long";
    public const string TooMany = "too_many";
    public const string Duplicate = "duplicate";
    public const string InvalidUrl = "invalid_url";
    public const string UnsupportedCurrency = "unsupported_currency";
    public const string SecretRequired = "secret_required";
    public const string SecretUnexpected = "secret_unexpected";
    public const string SecretInvalid = "secret_invalid";
}
